// Package shark is the root of the module and holds nothing but the tests of its
// conventions. ARCHITECTURE.md says how the module is built.
package shark
