package loyalty

import "slices"

// takeBack reverses n points of a grant:
//
//  1. What of it expired unused counts as taken back.
//  2. Then from the lot it joined, as far as both reach.
//  3. Then from the member's other lots: pending ones first, then in reverse
//     spend order. OwnLotOnly forbids this step.
//  4. What the whole balance cannot cover goes to the merchant's policy.
func (a *account) takeBack(orig Entry, n int64, e Entry) (*Entry, error) {
	e.Kind, e.Amount, e.Reverses = TakeBack, n, orig.No
	left := n

	if len(orig.Parts) > 0 {
		own := orig.Parts[0]
		// What earlier reversals took came out of the own lot first.
		reach := max(own.Quantity-orig.Reversed, 0)
		e.Lapsed = a.setOffLapsed(own.LotKey, min(left, reach))
		left -= e.Lapsed
		if i := a.find(own.LotKey); i >= 0 && left > 0 {
			a.takePart(&a.lots[i], &left, reach-e.Lapsed, &e)
		}
	}
	if !a.snap.OwnLotOnly {
		for _, i := range a.takeBackOrder() {
			if left > 0 {
				a.takePart(&a.lots[i], &left, left, &e)
			}
		}
	}
	a.dropEmpty()

	if left > 0 && a.snap.Clawback == ClawbackRefuse {
		return nil, PointsInsufficient
	}
	e.Deficit = left
	e.Points = -(n - e.Lapsed + e.Pending) // e.Pending is not positive
	a.Earned -= n + e.Pending
	a.Used -= e.Lapsed
	a.markReversed(orig, n)
	no := a.append(e).No
	if left > 0 && a.snap.Clawback == ClawbackFloor {
		a.Earned += left
		a.append(Entry{
			Kind: WriteOff, Operation: OpManualGrant, Amount: left, Points: left, Deficit: -left,
			Reverses: no, App: e.App, Space: e.Space, Note: Note{OrderNo: e.OrderNo, Activity: e.Activity},
		})
	}
	return a.entryNo(no), nil
}

// setOffLapsed sets up to limit points off against what expired out of the lot
// and has not been set off yet.
func (a *account) setOffLapsed(k LotKey, limit int64) int64 {
	lapsed := a.lapsedOf(k)
	n := min(limit, lapsed.Quantity-lapsed.Attributed)
	if n > 0 {
		lapsed.Attributed += n
		set(&a.lapsed, k, lapsed)
	}
	return max(n, 0)
}

// takePart takes out of one lot and counts pending points apart.
func (a *account) takePart(l *Lot, left *int64, limit int64, e *Entry) {
	part := a.take(l, left, limit)
	if part.Quantity == 0 {
		return
	}
	if l.Pending {
		e.Pending += part.Quantity
	}
	e.addPart(part)
}

// takeBackOrder is the indexes of the lots: pending first, each group from the
// latest expiry to the earliest.
func (a *account) takeBackOrder() []int {
	var pending, usable []int
	for i := len(a.lots) - 1; i >= 0; i-- {
		if a.lots[i].Pending {
			pending = append(pending, i)
		} else {
			usable = append(usable, i)
		}
	}
	return append(pending, usable...)
}

// putBack reverses n points of a spend: into the same lots with their own
// expiry, the one spent last first. A deficit is filled before. Where a lot has
// expired since, the merchant's policy decides.
func (a *account) putBack(orig Entry, n int64, e Entry) *Entry {
	e.Kind, e.Amount, e.Reverses = PutBack, n, orig.No
	left := n
	fill := min(a.Deficit, n)
	e.Deficit = -fill
	skip := orig.Reversed // given back before, in the same order
	expiredAgain := false

	for i := len(orig.Parts) - 1; i >= 0 && left > 0; i-- {
		part := orig.Parts[i]
		quantity := -part.Quantity
		passed := min(skip, quantity)
		skip -= passed
		quantity = min(quantity-passed, left)
		left -= quantity

		filled := min(fill, quantity)
		fill -= filled
		quantity -= filled
		key := part.LotKey
		if key.ExpiresAt <= a.now && quantity > 0 {
			switch a.snap.GiveBack {
			case GiveBackVoid:
				a.voidPart(key, quantity, &e)
				continue
			case GiveBackGrace:
				key = LotKey{ExpiresAt: startOfDay(a.now, a.snap.loc, a.snap.GraceDays+1), Source: key.Source}
			case GiveBackOriginal:
				expiredAgain = true
			}
		}
		if quantity > 0 {
			e.addPart(a.join(key, quantity, false))
		}
	}
	e.Points = n - e.Lapsed
	a.Used -= e.Points
	a.markReversed(orig, n)
	no := a.append(e).No
	if expiredAgain {
		a.settle()
	}
	return a.entryNo(no)
}

// voidPart gives points back to a lot that has ended and lets them expire with
// it, in one entry: the lot's part and its end cancel out.
func (a *account) voidPart(k LotKey, n int64, e *Entry) {
	e.Lapsed += n
	e.Parts = append(e.Parts, Part{k, n}, Part{k, -n})
	lapsed := a.lapsedOf(k)
	lapsed.Quantity += n
	set(&a.lapsed, k, lapsed)
}

func (e *Entry) addPart(p Part) {
	if i := slices.IndexFunc(e.Parts, func(q Part) bool { return q.LotKey == p.LotKey }); i >= 0 {
		e.Parts[i].Quantity += p.Quantity
		return
	}
	e.Parts = append(e.Parts, p)
}

// entryNo finds a new entry again after more were appended. Numbers are dense.
func (a *account) entryNo(no int64) *Entry { return &a.entries[no-a.entries[0].No] }
