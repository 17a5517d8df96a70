package query

import (
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// AppendEvent writes an event of the log as Export writes its row: the two exports differ in where they read, not in form. persona is the
// public id of the event's persona and epoch.
func AppendEvent(dst []byte, e *schema.Event, persona schema.ProfileID, clocks bool, at schema.Position, recorded schema.Instant) ([]byte, error) {
	details := timeline.DetailsOf(e)
	return Export{Clocks: clocks}.line(dst, &exported{
		id: e.ID, persona: persona, occurredAt: e.OccurredAt, receivedAt: e.ReceivedAt, recordedAt: recorded, epoch: e.Key.Epoch,
		source: e.Source, channel: e.Channel.String(), kind: e.Type.String(), actor: e.Actor.String(), trust: e.Provenance.Trust.String(),
		accountKind: e.Account.Kind, account: e.Account.Value, identifiers: string(details.Identifiers), traits: string(details.Traits),
		consents: string(details.Consents), assertion: string(details.Assertion), properties: string(e.Properties), provenance: string(details.Provenance),
		conversation: e.Conversation, caseID: e.Case, parent: e.Parent, mention: e.Mention, entity: e.Entity, text: e.Text, language: e.Language,
		rating: e.Rating, ratingScale: e.RatingScale, amount: e.Amount, currency: e.Currency, name: e.Name, actorID: e.ActorID,
		retention: e.Key.Class, skew: e.Skew, generation: at.Generation, partition: at.Partition, offset: at.Offset,
	})
}
