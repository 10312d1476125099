// Package viettext is what this project knows about Vietnamese text as bytes and letters: keys to compare and to search
// by, what a Vietnamese syllable looks like, and the encodings that stood before Unicode (TCVN 6909:2001). It imports
// nothing of the project and holds no state.
package viettext
