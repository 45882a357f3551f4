// Package loyalty is the domain of memberd: members, the points ledger, growth
// value and levels, member codes, and the commands that change them.
//
// A change is a plain value, a [Command]. It names every row it may look at
// ([Refs]) and decides in a pure function what the rows shall be ([Effects]).
// Time and fresh ids are arguments ([Stamp]); a merchant's rules come in as an
// immutable [Snapshot]. So a decision can be repeated, replayed, simulated and
// put into any batch with the same outcome.
//
// The package imports the standard library only and never reads a clock, a
// random source, a file or a database. Points are integers, money is integer
// fen, and an [Instant] is UTC in Unix milliseconds.
package loyalty
