// Command truth holds the dissector against independent witnesses of the same
// packets: for every public capture, what tshark saw in it, and for captures of
// programs of our own, what these programs counted themselves.
//
// It prints one line a capture and a summary by kind. Every difference must be
// listed in differences.tsv, with who is right and why; a difference that is not
// listed, or a listed one that is gone, makes it fail. So do a panic, a capture
// that takes longer than a minute, and memory above 1 GiB.
//
// With -confusion it prints, for each protocol, how many entries tshark gives the
// same name and what it calls the others. Each of these must be listed in
// claims.tsv, with the reason why shark is right: no protocol may claim the bytes
// of another one.
//
// It needs the folder of captures, which the variable SHARK_CAPTURES names.
package main
