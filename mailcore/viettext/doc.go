// Package viettext is what this project knows about Vietnamese text as bytes and letters. It imports nothing of the
// project, holds no state and does no input or output.
//
// Keys. NFC is how text is stored, Key is how two texts are compared when spelling habits must not count, Fold is how
// search compares, without marks.
//
// Old encodings. Before Unicode became the rule (TCVN 6909:2001) offices wrote in fonts of their own: TCVN3, also called
// ABC, in the north and in central bodies, VNI in the south, others more rarely. Such text reaches us as code points of
// Latin-1 ("N¬i nhËn" for "Nơi nhận"), from PDF files, mail subjects, file names. Where the font is known, FontEncoding and
// Decode settle it. Where it is not, Recode tries each encoding and keeps, word by word, the reading that gives the more
// well-formed and usual syllables (IsSyllable); it changes nothing that is good as it stands. Callers keep the original.
//
// Terms: a syllable is what is written between two spaces; its rime is all but the first consonants; a tone (dấu thanh) is
// one of five marks on the rime; the shape of a vowel (ă â ê ô ơ ư) is part of the letter.
package viettext
