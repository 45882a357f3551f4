package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/loyalty"
	"github.com/memberd/memberd/internal/programme"
	"github.com/memberd/memberd/internal/store"
)

type programCommand struct {
	commonFlags
	Export   programExport   `cmd:"" help:"Write the programme as a YAML file that explains itself."`
	Plan     programPlan     `cmd:"" help:"Say what a programme file would change and for whom, without changing anything."`
	Apply    programApply    `cmd:"" help:"Put a programme file in force, in every process at once."`
	Rollback programRollback `cmd:"" help:"Put the programme of an earlier version in force again."`
	Simulate programSimulate `cmd:"" help:"Run again what was booked under a programme file, and say what it would have come to."`
	List     programList     `cmd:"" help:"List the versions: who changed what when and why."`
}

// ofMerchant is the flag of all of them.
type ofMerchant struct {
	Merchant string `name:"merchant" required:"" placeholder:"ID" help:"The merchant whose programme it is."`
}

// rules opens the platform with the merchant's present rules.
func (f *ofMerchant) rules(p *program) (*platform, *loyalty.Snapshot, error) {
	pl, err := p.open(p.ctx)
	if err != nil {
		return nil, nil, err
	}
	snap, err := pl.store.Snapshot(p.ctx, f.Merchant)
	if err != nil {
		return nil, nil, errors.Join(refused(err, ""), pl.Close())
	}
	return pl, snap, nil
}

type programExport struct {
	ofMerchant
	Version int64 `name:"version" placeholder:"N" help:"An earlier version (default: the present one)."`
}

func (c *programExport) Run(p *program) error {
	pl, snap, err := c.rules(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	file := programme.File{Merchant: c.Merchant, Version: snap.Version, Settings: snap.Settings}
	if c.Version != 0 {
		file.Version = c.Version
		if file.Settings, err = pl.store.SettingsAt(p.ctx, c.Merchant, c.Version); err != nil {
			return err
		}
	}
	text, err := programme.Export(file)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(text)
	return err
}

// readProgramme reads a file for a merchant. What is no part of a programme
// stays as it is now.
func (p *program) readProgramme(file string, snap *loyalty.Snapshot) (programme.File, error) {
	text, err := p.readProgrammeText(file)
	if err != nil {
		return programme.File{}, &exitError{exitUsage, err}
	}
	f, err := programme.Parse(text, snap.Settings)
	if err == nil && f.Merchant != snap.Merchant {
		err = f.Wrong("merchant", "%q is not %q, for whom this is", f.Merchant, snap.Merchant)
	}
	if err != nil {
		return f, wrongly("%s cannot be used, and nothing has been changed:\n  %s", file, strings.ReplaceAll(harmlessLines(err.Error()), "\n", "\n  "))
	}
	return f, nil
}

func harmlessLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = harmless(lines[i])
	}
	return strings.Join(lines, "\n")
}

// readProgrammeText reads no more than one byte beyond what a programme may have.
func (p *program) readProgrammeText(file string) ([]byte, error) {
	in := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, programme.MaxSize+1))
}

type programPlan struct {
	ofMerchant
	File string `arg:"" placeholder:"FILE" help:"A programme file, - for standard input; begin with what export writes."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *programPlan) Run(p *program) error {
	pl, snap, err := c.rules(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	file, err := p.readProgramme(c.File, snap)
	if err != nil {
		return err
	}
	plan, err := pl.planProgramme(p, snap, file.Settings)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.printJSON(plan)
	}
	plan.print(p)
	if len(plan.Changes) > 0 {
		fmt.Fprintf(p.stdout, "\nWhat was booked since a day would have come to: memberd program simulate --merchant %s --since DAY %s\n", harmless(c.Merchant), harmless(c.File))
	}
	if len(plan.Changes) > 0 && file.Version != 0 && file.Version != snap.Version {
		fmt.Fprintf(p.stdout, "\napply would refuse the file:\n  %s\n  Export the programme again and carry your change over.\n", notCurrent(file, snap))
	}
	return nil
}

// notCurrent says where a file names a version that is not the present one.
func notCurrent(file programme.File, snap *loyalty.Snapshot) string {
	return file.Wrong("version", "version %d is not the current one, which is %d", file.Version, snap.Version).Error()
}

type programApply struct {
	ofMerchant
	byFlags
	File string `arg:"" placeholder:"FILE" help:"A programme file, - for standard input."`
	Yes  bool   `name:"yes" help:"Do not ask."`
}

func (c *programApply) Run(p *program) error {
	by, err := c.by()
	if err != nil {
		return err
	}
	pl, snap, err := c.rules(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	file, err := p.readProgramme(c.File, snap)
	if err != nil {
		return err
	}
	if len(programme.Diff(snap.Settings, file.Settings)) > 0 && file.Version != 0 && file.Version != snap.Version {
		return pl.overtaken(p, snap, file.Version, notCurrent(file, snap))
	}
	return pl.replaceProgramme(p, snap, file.Settings, by, c.Yes, c.File == "-")
}

type programRollback struct {
	ofMerchant
	byFlags
	To  *int64 `name:"to" placeholder:"VERSION" help:"The version whose programme it shall be (default: the one before the present one)."`
	Yes bool   `name:"yes" help:"Do not ask."`
}

// Run makes a new version with an old programme: history is never rewritten.
func (c *programRollback) Run(p *program) error {
	by, err := c.by()
	if err != nil {
		return err
	}
	pl, snap, err := c.rules(p)
	if err != nil {
		return err
	}
	defer pl.Close()
	to := snap.Version - 1
	if c.To != nil {
		to = *c.To
	}
	old, err := pl.store.SettingsAt(p.ctx, c.Merchant, to)
	if errors.Is(err, store.ErrNoVersion) {
		return fmt.Errorf("there is no version %d; the versions go up to %d", to, snap.Version)
	}
	if err != nil {
		return err
	}
	return pl.replaceProgramme(p, snap, programme.With(snap.Settings, old), by, c.Yes, false)
}

// errOvertaken: somebody else has changed the settings meanwhile.
var errOvertaken = errors.New("the settings have been changed meanwhile")

// replaceProgramme shows what would change, asks, and makes a new version,
// unless the settings are not those that were shown any more.
func (pl *platform) replaceProgramme(p *program, snap *loyalty.Snapshot, next loyalty.Settings, by loyalty.ByOperator, yes, stdinUsed bool) error {
	plan, err := pl.planProgramme(p, snap, next)
	if err != nil {
		return err
	}
	plan.print(p)
	if len(plan.Changes) == 0 {
		fmt.Fprintf(p.stdout, "Settings version %d stays.\n", snap.Version)
		return nil
	}
	if !yes {
		if err := p.ask(stdinUsed); err != nil {
			return err
		}
	}
	version, err := pl.store.ChangeSettings(p.ctx, snap.Merchant, by.Operator, by.Reason, func(version int64, old loyalty.Settings) (loyalty.Settings, error) {
		if version != snap.Version {
			return old, errOvertaken
		}
		return programme.With(old, next), nil
	})
	switch {
	case errors.Is(err, errOvertaken):
		return pl.overtaken(p, snap, snap.Version, fmt.Sprintf("version %d is not the current one", snap.Version))
	case errors.Is(err, access.ErrNoMerchant):
		return refused(err, "")
	case err != nil:
		return err
	}
	fmt.Fprintf(p.stdout, "\nIn force: merchant %s, settings version %d\n", snap.Merchant, version)
	return nil
}

// ask wants somebody to agree.
func (p *program) ask(stdinUsed bool) error {
	if stdinUsed || !isTerminal(p.stdin) || isNowhere(p.stdin) {
		return wrongly("nothing has been changed: there is no terminal to ask at; --yes does without")
	}
	fmt.Fprint(p.stdout, "\nPut this in force? [y/N] ")
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil { // standard input is closed, or no terminal after all
		return wrongly("nothing has been changed: nobody answered; --yes does without")
	}
	if !agrees(answer) {
		return errors.New("nothing has been changed")
	}
	return nil
}

func agrees(answer string) bool {
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes", "是":
		return true
	}
	return false
}

// isNowhere tells whether in is the null device, which looks like a terminal to
// isTerminal.
func isNowhere(in any) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	this, err := f.Stat()
	null, err2 := os.Stat(os.DevNull)
	return err == nil && err2 == nil && os.SameFile(this, null)
}
