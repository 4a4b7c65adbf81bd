// Package dissectortest is the kit that every protocol is tested with.
//
// Run takes a protocol and its folder of captures and checks what must hold for
// any protocol: the calls are the golden ones, however the bytes are cut,
// reordered or repeated; a lost segment harms only the calls it touches and never
// makes a wrong pair, and neither does a datagram that is lost, late or doubled; behind
// a loss messages are found again; fields are legal and set; no other protocol's capture
// is claimed; hostile bytes do no harm.
package dissectortest
