// Package index is the index database: what a dissection found, as an SQLite
// file that anyone can open.
//
// Writing: workers hand entries to shards, which keep them as sorted runs within
// a memory bound; Finish merges the runs by time, says who the addresses belonged
// to and lays out the tables. The same entries give the same rows, however they
// were spread over shards. A file appears under its name only when it is whole.
//
// Reading: a KFL plan becomes one SELECT, whose rows are read in place; what SQL
// could not answer is evaluated on the rows that remain. A database may come from
// a stranger: its schema must be, to the letter, the one this program writes, and
// it is opened read-only and without trust.
//
// The tables are: entries, one row for each entry, its id in time order;
// <protocol>_fields, the fields of a protocol's entries; endpoints, who the
// addresses belonged to; connections, the numbers of their packets; points, where
// reading the input may start; meta, interfaces, protocols and fields, which make
// the file describe itself. A view for each protocol joins them under KFL's names.
package index
