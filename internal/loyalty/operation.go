package loyalty

// Direction is which way a change moves points.
type Direction int

// The directions. The numbers are score_type and changeType on the wire.
const (
	Credit Direction = 1
	Debit  Direction = 2
)

// Operation is the operationType of the envelope document, 1 to 17, under
// which every change is booked whichever door it came through.
type Operation int

// The operation types; 1 to 10 are credits, 11 to 17 are deductions.
const (
	OpPurchaseGrant     Operation = 1
	OpPaymentReturn     Operation = 2
	OpSignIn            Operation = 3
	OpManualGrant       Operation = 4
	OpLevelGift         Operation = 5
	OpImport            Operation = 6
	OpBirthdayGift      Operation = 7
	OpRegisterGift      Operation = 8
	OpProfileGift       Operation = 9
	OpPromotionGift     Operation = 10
	OpManualDeduct      Operation = 11
	OpExchange          Operation = 12
	OpClearing          Operation = 13
	OpPayment           Operation = 14
	OpPurchaseClawback  Operation = 15
	OpLevelGiftClawback Operation = 16
	OpPromotionClawback Operation = 17
)

const (
	firstDebit   = OpManualDeduct
	operationEnd = Operation(18)
)

// MaxAmount is the largest amount in fen from which points are computed: a
// mobile number that slipped into this field must not mint points (E-073).
const MaxAmount int64 = 1_000_000_000

// Valid tells whether o is one of the 17.
func (o Operation) Valid() bool { return o >= 1 && o < operationEnd }

// Direction is which way the operation moves points.
func (o Operation) Direction() Direction {
	if o < firstDebit {
		return Credit
	}
	return Debit
}

// Name is the operation's name in the envelope document (1.3), which is how a
// member reads it in the ledger; "" for a number that is none of the 17.
func (o Operation) Name() string {
	if !o.Valid() {
		return ""
	}
	return operationNames[o]
}

var operationNames = [...]string{
	OpPurchaseGrant:     "消费送积分",
	OpPaymentReturn:     "积分支付退回",
	OpSignIn:            "积分签到",
	OpManualGrant:       "手动赠送",
	OpLevelGift:         "等级升级送积分",
	OpImport:            "割接",
	OpBirthdayGift:      "生日送",
	OpRegisterGift:      "注册送",
	OpProfileGift:       "完善送",
	OpPromotionGift:     "消费满赠",
	OpManualDeduct:      "手动扣减",
	OpExchange:          "积分兑换",
	OpClearing:          "积分清理",
	OpPayment:           "积分支付",
	OpPurchaseClawback:  "消费送积分扣回",
	OpLevelGiftClawback: "等级升级退积分",
	OpPromotionClawback: "消费满赠扣回",
}

// reversal is the operation under which a change made as o is reversed (E-132).
func (o Operation) reversal() Operation {
	switch o {
	case OpPurchaseGrant:
		return OpPurchaseClawback
	case OpLevelGift:
		return OpLevelGiftClawback
	case OpPromotionGift:
		return OpPromotionClawback
	}
	if o.Direction() == Credit {
		return OpPurchaseClawback
	}
	return OpPaymentReturn
}

// originals are the operations that a return which says o may mean, the likelier
// first: where o is a reversal's code the operation that it reverses, and else,
// or where there is no such entry, the operation itself (E-132).
func (o Operation) originals() []Operation {
	switch o {
	case OpPurchaseClawback:
		return []Operation{OpPurchaseGrant, o}
	case OpLevelGiftClawback:
		return []Operation{OpLevelGift, o}
	case OpPromotionClawback:
		return []Operation{OpPromotionGift, o}
	case OpPaymentReturn:
		return []Operation{OpPayment, o}
	}
	return []Operation{o}
}
