// Package sim runs the whole system and takes it apart while it runs. Its tests
// start the real program on SQLite and on a PostgreSQL that keeps its promises,
// put a load of changes on both protocols, kill servers and databases in the
// middle of it, and then compare what every client was told with what the
// ledger holds: all of it, none of it twice, and nothing else.
//
// There are two kinds of runs. Process runs use the program as it is installed:
// a binary, a data folder, a port. The crash run stays inside the test process
// and puts its faults exactly before and exactly after commits, which a signal
// can only hit by luck.
//
// The package holds no code outside its tests, and nothing imports it. What
// clients ask for is random, from a seed that is printed when a run fails
// (MEMBERD_SEED repeats it); when servers die is not, as no two runs of several
// processes are alike. MEMBERD_SIM_SECONDS makes the runs under load that long,
// each; by default they take seconds.
package sim
