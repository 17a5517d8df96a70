package main

import (
	"time"

	"github.com/dossier-cdp/dossier/services/rights"
)

// rights is what people may ask for, over whatever answers here.
func (i *installation) rights() *rights.Rights {
	return &rights.Rights{
		Control: i.control, People: i.identityPeer, House: i.house, Letters: letterReader{i}.read, Keys: i.ring, Visible: i.visible,
		Stale: i.staleCopies, Cares: i.cares, Now: time.Now,
	}
}

// staleCopies names the copies of the key ring that lack what the keeper has given up since.
func (i *installation) staleCopies() (names []string) {
	for _, c := range (ringCopies{control: i.control}).List() {
		if !c.Current {
			names = append(names, c.Name)
		}
	}
	return names
}

// cares says whether some process keeps conversations and cases.
func (i *installation) cares() bool {
	if i.coordination == nil {
		return true
	}
	_, held := i.coordination.Owner(careLease(mainWorkspace))
	return held
}
