package envelope

import (
	"strconv"

	"github.com/memberd/memberd/internal/jsonx"
	"github.com/memberd/memberd/internal/loyalty"
)

// operation reads operationType, 1 to 17.
func (f fields) operation() (loyalty.Operation, error) {
	n, err := f.needNumber(1, int64(loyalty.OpPromotionClawback), "operationType")
	return loyalty.Operation(n), err
}

// operationName reads operationName: free text. Where it is absent, or repeats
// the code as the document's sample does, it is the operation's Chinese name
// (E-020).
func (f fields) operationName(op loyalty.Operation) (string, error) {
	name, err := f.optional(maxName, "operationName")
	if err != nil || name == "" {
		return op.Name(), err
	}
	if n, err := strconv.Atoi(name); err == nil && loyalty.Operation(n).Valid() {
		return loyalty.Operation(n).Name(), nil
	}
	return name, nil
}

// maxBusinessType is the last number of the longer of the two lists (E-018).
const maxBusinessType = 16

// key reads the caller's idempotency id and the type of business, which counts
// for the fingerprint. Both may be absent; their usual spelling is accepted
// beside the document's (E-015).
func (f fields) key() (id, businessType string, err error) {
	if id, err = f.optional(maxID, "idempotencyBussinessId", "idempotencyBusinessId"); err != nil {
		return "", "", err
	}
	n, err := f.number(1, maxBusinessType, 0, "idempotencyBussinessType", "idempotencyBusinessType")
	if err == nil && n > 0 {
		businessType = strconv.FormatInt(n, 10)
	}
	return id, businessType, err
}

// needKey is key where the document requires the id.
func (f fields) needKey() (id, businessType string, err error) {
	id, businessType, err = f.key()
	if err == nil && id == "" {
		err = refuse("idempotencyBussinessId", jsonx.Missing)
	}
	return id, businessType, err
}

// note reads what a change carries along and what decides nothing: order,
// activity, remark, and who acted where.
func (f fields) note(op loyalty.Operation, businessType string) (n loyalty.Note, err error) {
	if n.Reason, err = f.operationName(op); err != nil {
		return loyalty.Note{}, err
	}
	n.Detail.BusinessType = businessType
	for _, t := range []struct {
		into  *string
		limit int
		name  string
	}{
		{&n.OrderNo, maxID, "orderId"},
		{&n.Activity, maxID, "activityCode"},
		{&n.Detail.Remark, maxText, "remark"},
		{&n.Detail.Operator, maxName, "operator"},
		{&n.Detail.OperatorID, maxID, "operatorId"},
		{&n.Detail.OrgCode, maxID, "orgCode"},
	} {
		if *t.into, err = f.optional(t.limit, t.name); err != nil {
			return loyalty.Note{}, err
		}
	}
	orgType, err := f.number(1, 3, 0, "orgType") // 1 head office, 2 branch, 3 store
	if err == nil && orgType > 0 {
		n.Detail.OrgType = strconv.FormatInt(orgType, 10)
	}
	return n, err
}
