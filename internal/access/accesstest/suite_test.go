package accesstest_test

import (
	"testing"

	"github.com/memberd/memberd/internal/access"
	"github.com/memberd/memberd/internal/access/accesstest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	accesstest.Run(t, func(*testing.T) access.Storage { return accesstest.NewMemory() })
}
