// Package e2e tests the whole product as a user would: it builds the binary, starts it with `up` on embedded engines or on real Apache Kafka, sends it
// events with the SDKs that users have, imports real files, kills it, and asks through the command line and GraphQL.
//
// There is nothing here but tests. What they know of the product is its outer contract: commands, paths, SDL, files of the data
// folder. Figures are compared with recounts that read the input by themselves and share no code with the product.
//
//	DOSSIER_BINARY   the binary to test; default: built from this checkout
//	DOSSIER_PROVE=1  full counts instead of those that fit into `make test`
//	DOSSIER_SHARED   the folder of the data files; default: ../shared beside the checkout
//	DOSSIER_E2E_KAFKA=one|three
//	                 every installation has its log in Apache Kafka, in a cluster of so many nodes that the run starts, instead of the
//	                 embedded one. What is not run there is printed with the reason.
package e2e
