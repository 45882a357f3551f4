package programme

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

const title = `The loyalty programme (会员积分方案): what memberd program plan, apply and
export read and write. docs/programme.md explains every key with examples.
Times are those of zone; 2026-11-11 or 2026-11-11 08:00.`

// Export writes a programme file, with a line of explanation above each block.
// It can be read again to exactly the same settings; what a file may not have,
// such as a points rate of 0, has to be written otherwise first. The error is of settings that no file
// can say, such as a time beyond the year 9999.
func Export(f File) ([]byte, error) {
	loc, _ := zoneOf(f.Settings.Zone)
	root := object(fieldsOf(&f, loc)).node()
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&yaml.Node{Kind: yaml.DocumentNode, HeadComment: title, Content: []*yaml.Node{root}}); err != nil {
		return nil, fmt.Errorf("programme as yaml: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("programme as yaml: %w", err)
	}
	back, err := parse(out.Bytes(), f.Settings, true)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the settings cannot be said in a file: %w", err)
	case back.Merchant != f.Merchant || back.Version != f.Version || !Same(back.Settings, f.Settings):
		return nil, fmt.Errorf("the settings cannot be said exactly in a file; memberd merchant settings shows them")
	}
	return out.Bytes(), nil
}
