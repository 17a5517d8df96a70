package schema

// CancelledStates are the words, in small letters, by which the latest version of an order says that it no longer stands: what it cost is no part of
// what the customer spent.
func CancelledStates() []string {
	return []string{"canceled", "cancelled", "voided", "refunded", "annulé", "annulée", "annule", "annulee", "remboursé", "remboursée", "rembourse", "remboursee"}
}

// OrderStateProperties are the properties in which sources state what has become of an order.
func OrderStateProperties() []string {
	return []string{"status", "order_status", "orderStatus", "statut"}
}
