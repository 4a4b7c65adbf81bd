// Package recorder is one node's recorder: the parts that watch the node, the rings that keep
// what they see, and what is known of how they do.
//
// In: parts, each of which records one kind of thing: packets, TLS secrets, plaintext, who owns
// which address. Out: the rings in a folder, their windows (snapshot.Recording), a status and
// metrics. A part that cannot work on this kernel, or ends, is reported and tried again; only
// a recorder of which no part works ends by itself.
//
//	DIR/             ring of packets, of identity and of TLS secrets
//	DIR/plaintext/   ring of plaintext, when there is some
//
// Memory: BufferBytes for each ring, and what the parts say of themselves; nothing here grows
// with time or traffic.
package recorder
