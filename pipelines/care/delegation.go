package care

import (
	"math/big"

	"github.com/dossier-cdp/dossier/schema"
)

// Delegation is what an agent may grant without asking anybody (R14).
type Delegation struct {
	Role      string
	Limit     string     // the most at once, decimal; empty is none
	Allowance *Allowance // within a time; nil is none
}

// Delegation finds what an actor may grant.
func (r *Rules) Delegation(actor string) Delegation {
	d := Delegation{}
	var known bool
	if d.Role, known = r.Roles[actor]; !known {
		d.Role = r.Roles[""]
	}
	if d.Limit, known = r.Limits[d.Role]; !known {
		d.Limit = r.Limits[""]
	}
	a, known := r.Allowances[d.Role]
	if !known {
		a, known = r.Allowances[""]
	}
	if known {
		d.Allowance = &a
	}
	return d
}

// Since is the instant from which on gestures count against the allowance.
func (a *Allowance) Since(now schema.Instant) schema.Instant { return now - schema.Instant(a.Within) }

// Remaining is what may be granted yet at once, after so much was granted within the allowance's time; ok is false where nothing bounds it. It is
// never below zero.
func (d Delegation) Remaining(granted string) (amount string, ok bool) {
	var least *big.Int
	if d.Limit != "" {
		least = Scaled(d.Limit)
	}
	if d.Allowance != nil {
		left := new(big.Int).Sub(Scaled(d.Allowance.Amount), Scaled(granted))
		if left.Sign() < 0 {
			left.SetInt64(0)
		}
		if least == nil || left.Cmp(least) < 0 {
			least = left
		}
	}
	if least == nil {
		return "", false
	}
	return decimalText(least), true
}

// Excess is why a gesture is refused.
type Excess uint8

// The reasons.
const (
	Within        Excess = iota // it is not
	NoAmount                    // the amount is no decimal above zero
	OverLimit                   // more than the role may grant at once
	OverAllowance               // more than is left of the allowance
)

// Check says whether an amount may be granted, after so much was granted within the allowance's time.
func (d Delegation) Check(amount, granted string) Excess {
	v, ok := decimal(amount)
	if !ok || v.Sign() <= 0 {
		return NoAmount
	}
	if limit, is := decimal(d.Limit); is && v.Cmp(limit) > 0 {
		return OverLimit
	}
	if d.Allowance != nil {
		total := new(big.Int).Add(v, Scaled(granted))
		if total.Cmp(Scaled(d.Allowance.Amount)) > 0 {
			return OverAllowance
		}
	}
	return Within
}
