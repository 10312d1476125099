// Package exchange owns documents and what becomes of them: registers, recipient lines, dispatches, events, arrivals. It
// holds their rules and their SQL (tables register_series, register_number, register_entry, document, recipient_line, dispatch, event,
// incoming, refusal).
//
// Terms. A document (văn bản) is what an agency issues. A line is one entry of Kính gửi or Nơi nhận. A dispatch is one
// document on its way to one recipient; how far it came is its transport, what the recipient did with it its handling.
// An event is an append-only row; the state of a dispatch is the fold of its events, which Check proves.
//
// Promises. Issuing is one transaction: the document is issued to everybody named in it or to nobody. A document with an
// open line, without a seal, or with a mark of secrecy is never issued (QĐ 22/2009 Điều 10). A number is taken once in
// (agency, year, series). Every open dispatch has one owner and one deadline. Every verb may be repeated after a crash.
//
// It never talks to a network and never seals inside a transaction. Mail reaches it as mail_event rows that package
// mailcore writes in the transaction of the act, and leaves it through DeliverTx and EnqueueTx.
//
// Sources: QĐ 22/2009/QĐ-UBND, NĐ 30/2020/NĐ-CP, QĐ 28/2018/QĐ-TTg.
package exchange
