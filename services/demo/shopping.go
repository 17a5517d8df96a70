package demo

import (
	"fmt"
	"time"
)

// The sources of the workspace. The browser key's is web.
const (
	web  = "web"
	shop = "shop"
	crm  = "crm"
)

// day draws a moment of the workspace by day.
func (l *life) day() time.Time {
	return Begin.AddDate(0, 0, l.IntN(548)).Add(time.Duration(l.between(8*3600, 21*3600))*time.Second + time.Duration(l.IntN(1000))*time.Millisecond)
}

// join makes the person known.
func (l *life) join() {
	l.tell(l.day(), event{
		Type: "profile.identified", Source: crm, Channel: "crm", Country: l.Country, Account: account{"crm_id", l.CRM},
		Identifiers: []identifier{{Kind: "email", Value: l.Email}, {Kind: "user_id", Value: l.UserID}},
		Traits:      map[string]any{"first_name": l.Given, "last_name": l.Family},
	})
}

// shop browses and buys.
func (l *life) shop() {
	for n := l.between(1, 4); n > 0; n-- {
		at := l.day()
		device := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", l.Uint32(), l.IntN(1<<16), l.IntN(1<<12), l.IntN(1<<12), l.Uint64N(1<<48))
		l.browse(at, call{Type: "page", AnonymousID: device, Name: "Accueil", Context: map[string]any{"locale": "fr-FR"}})
		l.browse(at.Add(time.Minute), call{Type: "identify", AnonymousID: device, UserID: l.UserID, Traits: map[string]any{"email": l.Email}, Context: map[string]any{"locale": "fr-FR"}})
		order := fmt.Sprintf("MG%04d%02d", l.Index, n)
		l.tell(at.Add(5*time.Minute), event{
			Type: "order.placed", Source: shop, Channel: "web", Country: l.Country, Account: account{"user_id", l.UserID}, Entity: order,
			Identifiers: []identifier{{Kind: "email", Value: l.Email}, {Kind: "order_id", Value: order}}, Amount: fmt.Sprintf("%d.90", l.between(15, 240)), Currency: "EUR",
		})
		l.tell(at.AddDate(0, 0, 3), event{Type: "order.delivered", Source: shop, Channel: "web", Country: l.Country, Account: account{"user_id", l.UserID}, Entity: order})
	}
}
