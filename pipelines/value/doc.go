// Package value says what a customer is worth: recency, frequency and money (RFM), whether he still buys and how often he will (BG/NBD), what he
// spends each time (gamma-gamma), and what that makes together (customer lifetime value).
//
// A Snapshot is everything that one fit over all customers gives: parameters, bounds of the quintiles, the window and the numbers behind
// them. It holds no customer. What a customer is worth under a snapshot is Assess(snapshot, his purchases): a pure function of the two, so
// a merge, a split or a late order restates one person without a new fit.
//
// Purchases are counted by the day, in UTC: several orders of one day are one purchase, as in the models' sources. An order counts once, by
// its latest version, on the day on which it was first placed; what was cancelled is left out before it comes here.
//
// The order of the input changes no bit of any result: what is added up as floating point is sorted first.
//
// The models are for buying without a contract. They say nothing of subscriptions, and of whoever has bought once only that he has
// not been seen to leave: his P(alive) is 1.
package value
