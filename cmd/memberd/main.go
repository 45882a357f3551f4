// Command memberd is the membership platform: one binary that serves both
// protocols, and the subcommands with which it is set up, looked after and
// tried out. Each subcommand is one file; what they share is wiring.go.
//
// The package decides nothing about points or callers: it reads flags, wires
// the packages together and prints. What goes to standard output is the
// answer, for people or with --json for programs; log and errors go to standard
// error. It exits with 0 when all went well, 1 when the answer is no, and 2 when
// it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // merchants' zones must not hang on what the machine has installed

	"github.com/alecthomas/kong"

	"github.com/memberd/memberd/internal/config"
)

// The exit codes.
const (
	exitNo    = 1
	exitUsage = 2
)

// commandLine is everything that can be written after the program's name.
type commandLine struct {
	Serve     serveCommand     `cmd:"" help:"Serve both protocols."`
	Merchant  merchantCommand  `cmd:"" help:"Create merchants."`
	App       appCommand       `cmd:"" help:"Create, list, disable and enable apps."`
	Member    memberCommand    `cmd:"" help:"Look after one member."`
	Order     orderCommand     `cmd:"" help:"Look at orders and at what refunds would do."`
	Explain   explainCommand   `cmd:"" help:"Say why an entry or an order is worth the points that it is."`
	Program   programCommand   `cmd:"" help:"Export, plan, apply and roll back a merchant's loyalty programme."`
	Statement statementCommand `cmd:"" help:"Write the day's file that partners compare with theirs, as CSV."`
	Reconcile reconcileCommand `cmd:"" help:"Compare a partner's file of a day with the platform's, and mend what differs."`
	Callback  callbackCommand  `cmd:"" help:"List what partners are told, and send it again."`
	Jobs      jobsCommand      `cmd:"" help:"Run what else happens by itself."`
	Clock     clockCommand     `cmd:"" help:"Move the clock of a sandbox merchant."`
	Check     checkCommand     `cmd:"" help:"Recompute every balance, lot and counter from the ledger."`
	Call      callCommand      `cmd:"" help:"Sign and send one call to either protocol and print the answer."`
	Bench     benchCommand     `cmd:"" help:"Load a sandbox with signed calls and print how fast they are answered."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database to this release's tables."`
	Backup    backupCommand    `cmd:"" help:"Write a consistent copy of the embedded database, on a live server too."`
	Settings  settingsCommand  `cmd:"" name:"config" help:"Print the configuration in force and where each value comes from."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// commonFlags are embedded by every subcommand that works on the database or
// the configuration. They are not the program's own flags because call has
// another --data.
type commonFlags struct {
	File string `name:"config" placeholder:"FILE" help:"Configuration file; default: memberd.toml in the data folder, if it is there. (MEMBERD_CONFIG)"`
	config.Common
}

// AfterApply is called by kong when the values are known.
func (f *commonFlags) AfterApply(p *program) error {
	p.common = f.Common
	return f.Common.Check()
}

// program is what a subcommand's Run gets.
type program struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	common         config.Common
	resolver       *config.Resolver
	parsed         *kong.Context
}

// exitError ends the program with a code of its own. err may be nil when
// everything has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// wrongly is an error of whoever called the program.
func wrongly(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: everything from outside is an argument.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) int {
	var line commandLine
	p := &program{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, resolver: config.NewResolver(lookup)}
	helped := false
	parser, err := kong.New(&line,
		kong.Name("memberd"),
		kong.Description("A membership platform: members, points and levels behind two protocols."),
		kong.Writers(stdout, stderr),
		kong.Resolvers(p.resolver),
		kong.Bind(p),
		kong.ValueFormatter(config.HelpValue),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(int) { helped = true }),
	)
	if err != nil {
		panic(err) // a mistake in the tags above
	}
	p.parsed, err = parser.Parse(args)
	switch {
	case helped:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "memberd: %v\n", err)
		if _, ok := errors.AsType[*kong.ParseError](err); ok {
			fmt.Fprintln(stderr, "Run memberd --help for what it can do.")
		}
		return exitUsage
	}
	err = p.parsed.Run()
	if err == nil {
		return 0
	}
	code := exitNo
	if exit, ok := errors.AsType[*exitError](err); ok {
		code, err = exit.code, exit.err
	}
	if err != nil {
		fmt.Fprintf(stderr, "memberd: %v\n", err)
	}
	return code
}
