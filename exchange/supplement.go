package exchange

// supplementLine is the line of a copy that no line of the document names.
const supplementLine = 0
