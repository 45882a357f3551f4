// Package sim runs the whole system and takes it apart while it runs. Its tests
// start the real program on SQLite and on a PostgreSQL that keeps its promises,
// put a load of changes on both protocols, kill servers and databases in the
// middle of it, and then compare what every client was told with what the
// ledger holds: all of it, none of it twice, and nothing else.
//
// There are three kinds of runs. Process runs use the program as it is installed:
// a binary, a data folder, a port. The crash run stays inside the test process,
// puts many threads of clients on it, and its faults exactly before and exactly
// after commits, which a signal can only hit by luck. Both are about threads and
// processes as they come: no two of them are alike, only what clients ask for is
// the seed's.
//
// The simulation (simulation*_test.go) is the third kind, and a seed is all of
// it. One goroutine decides which client asks for what, which calls meet in a
// batch, where a fault strikes, when a process ends and how far the clock moves,
// in a bubble where time costs nothing. What it drives is real: both doors, the
// writer, SQLite, the jobs, the deliverer. What it compares with is the
// reference store of package loyaltytest, to which one command comes after the
// other and nothing goes wrong. Its files:
//
//   - simulation_test.go: runs on fresh seeds, and that a seed repeats;
//   - simulation_run_test.go, _calls_: the scheduler, and how it sends calls;
//   - simulation_platform_test.go: the platform, its clock and its restarts;
//   - simulation_faults_test.go, _store_: what goes wrong at which call of the
//     store; _truth_: what was really committed;
//   - simulation_clients_test.go, _points_, _orders_, _coupons_, _queries_: what
//     clients ask for;
//   - simulation_jobs_test.go, _callbacks_: the jobs, the deliverer, the partner;
//   - simulation_model_test.go, _judge_: the model, and what every answer and
//     every row is held against;
//   - simulation_plants_test.go: mistakes that are planted to see them found.
//
// The model decides with the domain's own code, as the platform does. So the
// simulation finds what batches, faults, repeats, restarts, rows and wires do to
// a decision; whether the decision itself is right is for the tests of package
// loyalty, and for the recomputation from the ledger that ends each run.
//
// The package holds no code outside its tests, and nothing imports it. Seeds are
// printed when a run fails, and MEMBERD_SEED repeats one. SIM_SECONDS is how long
// the simulation tries fresh seeds (make sim), 5 by default. MEMBERD_SIM_SECONDS
// makes the runs under load that long, each; by default they take seconds.
package sim
