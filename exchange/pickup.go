package exchange

// EventFetched tells that the recipient of a copy fetched a file of it from its pick-up address.
const EventFetched = "fetched"
