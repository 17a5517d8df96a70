package kafka_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/kafka/kafkatest"
)

// TestCluster is one real broker and everything that is tested against it: starting one costs seconds.
func TestCluster(t *testing.T) {
	// Everybody may do everything but who is granted nothing.
	cluster := kafkatest.Start(t, 1,
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS;User:CN=client;User:"+kafkatest.User)
	t.Run("conformance", func(t *testing.T) {
		kafka.Conform(t, kafka.Config{Brokers: cluster.Brokers(t, kafkatest.Plaintext), CheckTopics: true, TopicPrefix: "conform."})
	})
	t.Run("secure", func(t *testing.T) { testSecure(t, cluster) })
	t.Run("unreached", func(t *testing.T) { testUnreached(t, cluster) })
	t.Run("topics", func(t *testing.T) { testTopics(t, cluster) })
	t.Run("rights", func(t *testing.T) { testRights(t, cluster) })
	t.Run("prefixes", func(t *testing.T) { testPrefixes(t, cluster) })
}

// authority is the cluster's own.
func authority(cluster *kafkatest.Cluster) *kafka.TLS {
	return &kafka.TLS{CA: cluster.File("tls", "ca.pem")}
}

func login(mechanism string) *kafka.SASL {
	return &kafka.SASL{Mechanism: mechanism, User: kafkatest.User, Password: kafkatest.Password}
}

// testSecure: a record written over one secure connection is read over every other.
func testSecure(t *testing.T, cluster *kafkatest.Cluster) {
	own := authority(cluster)
	own.Certificate, own.Key = cluster.File("tls", "client.pem"), cluster.File("tls", "client.key")
	for n, config := range []kafka.Config{
		{Brokers: cluster.Brokers(t, kafkatest.SSL), TLS: own},
		{Brokers: cluster.Brokers(t, kafkatest.SASLSSL), TLS: authority(cluster), SASL: login(kafka.SASLPlain)},
		{Brokers: cluster.Brokers(t, kafkatest.SASLSSL), TLS: authority(cluster), SASL: login(kafka.SASLScramSHA256)},
		{Brokers: cluster.Brokers(t, kafkatest.SASLSSL), TLS: authority(cluster), SASL: login(kafka.SASLScramSHA512)},
		{Brokers: cluster.Brokers(t, kafkatest.SASLPlaintext), SASL: login(kafka.SASLScramSHA512)},
	} {
		c, err := kafka.Open(t.Context(), config)
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		defer c.Close()
		if err := c.EnsureTopics(t.Context(), []schema.Topic{{Name: "secure", Partitions: 1}}, 0, 0); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if _, err := c.Produce(t.Context(), "secure", 0, []kafka.Message{{Value: []byte(strconv.Itoa(n))}}, time.UnixMilli(1)); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		f, err := c.Fetch(t.Context(), "secure", 0, 0, 1<<20, time.Second)
		if err != nil || len(f.Records) != n+1 || string(f.Records[n].Value) != strconv.Itoa(n) {
			t.Fatalf("%d: %+v %v", n, f, err)
		}
	}
}

// testUnreached: what keeps a client from its broker is one line that names the address and what to do.
func testUnreached(t *testing.T, cluster *kafkatest.Cluster) {
	tlsFile := func(name string) string { return cluster.File("tls", name) }
	plaintext, ssl := cluster.Brokers(t, kafkatest.Plaintext), cluster.Brokers(t, kafkatest.SSL)
	saslSSL, saslPlaintext := cluster.Brokers(t, kafkatest.SASLSSL), cluster.Brokers(t, kafkatest.SASLPlaintext)
	expired := certificate(t, cluster, -2*time.Hour)
	foreign := certificate(t, nil, 2*time.Hour)
	withOwn := func(c issued) *kafka.TLS {
		return &kafka.TLS{CA: tlsFile("ca.pem"), Certificate: c.certificate, Key: c.key}
	}
	wrongPassword := func(mechanism string) *kafka.SASL {
		return &kafka.SASL{Mechanism: mechanism, User: kafkatest.User, Password: "not-the-secret"}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := dead.Addr().String()
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config kafka.Config
		class  schema.ErrorClass
		words  []string
	}{
		{"plaintext to a TLS port", kafka.Config{Brokers: ssl}, schema.Fatal, []string{ssl[0], "speaks TLS", "--kafka-tls-ca"}},
		{"plaintext with a login to a TLS port", kafka.Config{Brokers: saslSSL, SASL: login(kafka.SASLPlain)}, schema.Fatal, []string{saslSSL[0], "speaks TLS"}},
		{"TLS to a plaintext port", kafka.Config{Brokers: plaintext, TLS: authority(cluster)}, schema.Fatal, []string{plaintext[0], "does not speak TLS"}},
		{"unknown authority", kafka.Config{Brokers: saslSSL, TLS: &kafka.TLS{}, SASL: login(kafka.SASLPlain)}, schema.Fatal, []string{saslSSL[0], "system's authorities", "--kafka-tls-ca"}},
		{"another authority", kafka.Config{Brokers: saslSSL, TLS: &kafka.TLS{CA: foreign.authority}, SASL: login(kafka.SASLPlain)}, schema.Fatal, []string{saslSSL[0], foreign.authority, "--kafka-tls-ca"}},
		{"no client certificate", kafka.Config{Brokers: ssl, TLS: authority(cluster)}, schema.Fatal, []string{ssl[0], "client certificate", "--kafka-tls-cert"}},
		{"expired client certificate", kafka.Config{Brokers: ssl, TLS: withOwn(expired)}, schema.Fatal, []string{ssl[0], "refuses the client certificate", expired.certificate, "renew"}},
		{"client certificate of another authority", kafka.Config{Brokers: ssl, TLS: withOwn(foreign)}, schema.Fatal, []string{ssl[0], "refuses the client certificate", foreign.certificate}},
		{"no login", kafka.Config{Brokers: saslPlaintext}, schema.Fatal, []string{saslPlaintext[0], "wants a login", "--kafka-sasl"}},
		{"no login over TLS", kafka.Config{Brokers: saslSSL, TLS: authority(cluster)}, schema.Fatal, []string{saslSSL[0], "wants a login", "--kafka-sasl"}},
		{"login where none is asked for", kafka.Config{Brokers: plaintext, SASL: login(kafka.SASLScramSHA512)}, schema.Fatal, []string{"no login at this port", "--kafka-sasl"}},
		{"wrong password by PLAIN", kafka.Config{Brokers: saslPlaintext, SASL: wrongPassword(kafka.SASLPlain)}, schema.Fatal, []string{"refuse the login of user dossier", "password"}},
		{"wrong password by SCRAM", kafka.Config{Brokers: saslPlaintext, SASL: wrongPassword(kafka.SASLScramSHA512)}, schema.Fatal, []string{"refuse the login of user dossier", "SCRAM-SHA-512"}},
		{"nobody listens", kafka.Config{Brokers: []string{nobody}}, schema.Transient, []string{nobody, "refused", "--kafka"}},
		{"no such host", kafka.Config{Brokers: []string{"nohost.invalid:9092"}}, schema.Transient, []string{"nohost.invalid:9092", "--kafka"}},
		{"no port", kafka.Config{Brokers: []string{"localhost"}}, schema.Fatal, []string{"localhost", "HOST:PORT"}},
		{"a broker whose certificate expired", kafka.Config{Brokers: []string{tlsServer(t, certificate(t, cluster, -2*time.Hour))}, TLS: authority(cluster)}, schema.Fatal, []string{"has expired", "renew"}},
		{"a broker whose certificate is for another name", kafka.Config{Brokers: []string{tlsServer(t, certificate(t, cluster, 2*time.Hour, "kafka.example"))}, TLS: authority(cluster)}, schema.Fatal, []string{"is for kafka.example"}},
		{"something else", kafka.Config{Brokers: []string{talker(t)}}, schema.Fatal, []string{"does not answer as a Kafka broker does"}},
		{"no file of the authority", kafka.Config{Brokers: ssl, TLS: &kafka.TLS{CA: tlsFile("none.pem")}}, schema.Fatal, []string{tlsFile("none.pem"), "cannot be read"}},
		{"an empty authority", kafka.Config{Brokers: ssl, TLS: &kafka.TLS{CA: empty}}, schema.Fatal, []string{empty, "no certificate"}},
		{"a certificate without its key", kafka.Config{Brokers: ssl, TLS: &kafka.TLS{Certificate: expired.certificate}}, schema.Fatal, []string{"--kafka-tls-key"}},
		{"a certificate with another key", kafka.Config{Brokers: ssl, TLS: &kafka.TLS{Certificate: expired.certificate, Key: foreign.key}}, schema.Fatal, []string{expired.certificate, foreign.key, "private key does not match"}},
		{"no such login", kafka.Config{Brokers: plaintext, SASL: login("kerberos")}, schema.Fatal, []string{"kerberos", kafka.SASLScramSHA512}},
		{"no password", kafka.Config{Brokers: plaintext, SASL: &kafka.SASL{Mechanism: kafka.SASLPlain, User: "dossier"}}, schema.Fatal, []string{"--kafka-password-file"}},
		{"a prefix that no topic can have", kafka.Config{Brokers: plaintext, TopicPrefix: "mes évènements/"}, schema.Fatal, []string{"prefix", "letters"}},
	} {
		client, err := kafka.Open(t.Context(), c.config)
		if err == nil {
			client.Close()
			t.Errorf("%s: the client was opened", c.name)
			continue
		}
		if class := schema.ClassOf(err); class != c.class || kafka.Class(err) != c.class {
			t.Errorf("%s: %v is %v, want %v", c.name, err, class, c.class)
		}
		text := err.Error()
		for _, word := range c.words {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q does not say %q", c.name, text, word)
			}
		}
		if strings.Contains(text, "\n") || strings.Contains(text, kafkatest.Password) || strings.Contains(text, "not-the-secret") {
			t.Errorf("%s: %q has several lines, or a password", c.name, text)
		}
	}
}

// issued are the files of a certificate and of the authority that signed it.
type issued struct{ authority, certificate, key string }

// certificate makes one for loopback, or for names, that is valid for a time from now or, if that is negative, was until then. The
// authority is the cluster's, or a new one.
func certificate(t *testing.T, cluster *kafkatest.Cluster, valid time.Duration, names ...string) issued {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	var signer any = key
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	var out issued
	if cluster != nil {
		pair, err := tls.LoadX509KeyPair(cluster.File("tls", "ca.pem"), cluster.File("tls", "ca.key"))
		must(err)
		parent, err = x509.ParseCertificate(pair.Certificate[0])
		must(err)
		signer, out.authority = pair.PrivateKey, cluster.File("tls", "ca.pem")
	} else {
		der, err := x509.CreateCertificate(rand.Reader, parent, parent, key.Public(), key)
		must(err)
		out.authority = write("authority.pem", "CERTIFICATE", der)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: names,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(valid),
	}
	if len(names) == 0 {
		leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	out.certificate, out.key = write("leaf.pem", "CERTIFICATE", der), write("leaf.key", "PRIVATE KEY", private)
	return out
}

// tlsServer listens with a certificate and says nothing.
func tlsServer(t *testing.T, of issued) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(of.certificate, of.key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, func(c net.Conn) { io.Copy(io.Discard, c) }) //nolint:errcheck // the peer ends it
}

// talker answers whatever it is told in another protocol.
func talker(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, func(c net.Conn) { io.WriteString(c, "220 smtp.example ESMTP ready\r\n") }) //nolint:errcheck // the peer ends it
}

func serve(t *testing.T, l net.Listener, answer func(net.Conn)) string {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // the peer ends it
				answer(c)
			}()
		}
	}()
	return l.Addr().String()
}

// testTopics: a topic that somebody made or changed so that events could be lost is refused with what to do.
func testTopics(t *testing.T, cluster *kafkatest.Cluster) {
	admin := cluster.Client(t)
	for _, c := range []struct {
		name     string
		settings map[string]string
		count    int
		words    []string
	}{
		{"fine", map[string]string{"retention.ms": "-1", "max.message.bytes": "10000000"}, 1, nil},
		{"partitions", map[string]string{"retention.ms": "-1", "max.message.bytes": "10000000"}, 2, []string{"2 partitions", "1 are configured"}},
		{"compacted", map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"}, 1, []string{"cleanup.policy=compact", "kafka-configs.sh", "cleanup.policy=delete"}},
		{"week", map[string]string{}, 1, []string{"retention.ms=604800000", "kafka-configs.sh", "--add-config retention.ms=-1"}},
		{"bytes", map[string]string{"retention.ms": "-1", "retention.bytes": "100000000"}, 1, []string{"retention.bytes=100000000", "retention.bytes=-1"}},
		{"times", map[string]string{"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}, 1, []string{"message.timestamp.type=LogAppendTime", "CreateTime"}},
		{"small", map[string]string{"retention.ms": "-1"}, 1, []string{"max.message.bytes=1048588", "max.message.bytes=8388608"}},
		{"insync", map[string]string{"retention.ms": "-1", "max.message.bytes": "10000000", "min.insync.replicas": "2"}, 1, []string{"min.insync.replicas=2", "nothing could be written", "min.insync.replicas=1"}},
		{"unclean", map[string]string{"retention.ms": "-1", "max.message.bytes": "10000000", "unclean.leader.election.enable": "true"}, 1, []string{"unclean.leader.election.enable=true", "unclean.leader.election.enable=false"}},
	} {
		request := kafkago.TopicConfig{Topic: "checked." + c.name, NumPartitions: c.count, ReplicationFactor: 1}
		for name, value := range c.settings {
			request.ConfigEntries = append(request.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
		res, err := admin.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{request}})
		if err != nil || res.Errors[request.Topic] != nil {
			t.Fatal(err, res)
		}
		client, err := kafka.Open(t.Context(), kafka.Config{Brokers: cluster.Brokers(t, kafkatest.Plaintext), TopicPrefix: "checked.", CheckTopics: true})
		if err != nil {
			t.Fatal(err)
		}
		err = client.EnsureTopics(t.Context(), []schema.Topic{{Name: c.name, Partitions: 1}}, 0, 0)
		client.Close()
		if (err == nil) != (c.words == nil) || err != nil && schema.ClassOf(err) != schema.Fatal {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), request.Topic) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q does not say %q of %s in one line", c.name, err, word, request.Topic)
			}
		}
	}
	client, err := kafka.Open(t.Context(), kafka.Config{Brokers: cluster.Brokers(t, kafkatest.Plaintext), CheckTopics: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = client.EnsureTopics(t.Context(), []schema.Topic{{Name: "thrice", Partitions: 1}}, 0, 3)
	if schema.ClassOf(err) != schema.Fatal || err == nil || !strings.Contains(err.Error(), "--kafka-replication") {
		t.Errorf("three copies on one broker: %v", err)
	}
}

// testRights: a user who may log in and nothing else is told so at once, and one who was granted the topics of a prefix needs no more.
func testRights(t *testing.T, cluster *kafkatest.Cluster) {
	admin := cluster.Client(t)
	salt := []byte("a salt that everybody knows")
	salted, err := pbkdf2.Key(sha512.New, "guest-secret", salt, 4096, sha512.Size)
	if err != nil {
		t.Fatal(err)
	}
	made, err := admin.AlterUserScramCredentials(t.Context(), &kafkago.AlterUserScramCredentialsRequest{Upsertions: []kafkago.UserScramCredentialsUpsertion{
		{Name: "guest", Mechanism: kafkago.ScramMechanismSha512, Iterations: 4096, Salt: salt, SaltedPassword: salted},
	}})
	if err != nil || made.Results[0].Error != nil {
		t.Fatal(err, made)
	}
	config := kafka.Config{
		Brokers: cluster.Brokers(t, kafkatest.SASLPlaintext), SASL: &kafka.SASL{Mechanism: kafka.SASLScramSHA512, User: "guest", Password: "guest-secret"},
		TopicPrefix: "guests.", CheckTopics: true,
	}
	var client *kafka.Client
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) { // the broker learns of its users by and by
		if client, err = kafka.Open(t.Context(), config); err == nil {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal(err)
		}
	}
	defer client.Close()
	topics := []schema.Topic{{Name: "events", Partitions: 1}}
	err = client.EnsureTopics(t.Context(), topics, 0, 0)
	for _, word := range []string{"guest", "guests.", "kafka-acls.sh"} {
		if err == nil || schema.ClassOf(err) != schema.Fatal || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("without any right: %v; want one line that says %q", err, word)
		}
	}
	request := &kafkago.CreateACLsRequest{}
	for _, operation := range []kafkago.ACLOperationType{
		kafkago.ACLOperationTypeCreate, kafkago.ACLOperationTypeDescribe, kafkago.ACLOperationTypeDescribeConfigs, kafkago.ACLOperationTypeRead,
		kafkago.ACLOperationTypeWrite, kafkago.ACLOperationTypeDelete, // of records
	} {
		request.ACLs = append(request.ACLs, kafkago.ACLEntry{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: "guests.", ResourcePatternType: kafkago.PatternTypePrefixed,
			Principal: "User:guest", Host: "*", Operation: operation, PermissionType: kafkago.ACLPermissionTypeAllow,
		})
	}
	granted, err := admin.CreateACLs(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(granted.Errors...); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if err = client.EnsureTopics(t.Context(), topics, 0, 0); err == nil {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal(err)
		}
	}
	if _, err := client.Produce(t.Context(), "events", 0, []kafka.Message{{Value: []byte("x")}, {Value: []byte("y")}}, time.UnixMilli(1)); err != nil {
		t.Fatal(err)
	}
	if f, err := client.Fetch(t.Context(), "events", 0, 0, 1<<20, time.Second); err != nil || len(f.Records) != 2 {
		t.Fatalf("%+v %v", f, err)
	}
	if err := client.DeleteRecords(t.Context(), "events", 0, 1); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]bool{"events": true, "nothing": false} {
		if is, err := client.Exists(t.Context(), topic); err != nil || is != want {
			t.Errorf("%s exists: %v, %v", topic, is, err)
		}
	}
}

// listener notes what is read that names a topic of another prefix.
type listener struct {
	net.Conn
	heard *atomic.Pointer[[]byte]
	last  []byte
}

func (l *listener) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.last = append(l.last, b[:n]...)
	if bytes.Contains(l.last, []byte("south.events")) {
		l.heard.Store(&l.last)
	}
	l.last = l.last[max(0, len(l.last)-64):]
	return n, err
}

// testPrefixes: two prefixes are two logs, in everything that a client can do.
func testPrefixes(t *testing.T, cluster *kafkatest.Cluster) {
	open := func(prefix string) *kafka.Client {
		t.Helper()
		c, err := kafka.Open(t.Context(), kafka.Config{Brokers: cluster.Brokers(t, kafkatest.Plaintext), TopicPrefix: prefix, CheckTopics: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if err := c.EnsureTopics(t.Context(), []schema.Topic{{Name: "events", Partitions: 2}}, 0, 0); err != nil {
			t.Fatal(err)
		}
		return c
	}
	north, south := open("north."), open("south.")
	var heard atomic.Pointer[[]byte] // what the brokers say about topics that nobody asked for
	curious, err := kafka.Open(t.Context(), kafka.Config{
		Brokers: cluster.Brokers(t, kafkatest.Plaintext), TopicPrefix: "north.", MetadataTTL: 20 * time.Millisecond,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &listener{conn, &heard, nil}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer curious.Close()
	for range 20 {
		if _, err := curious.Offsets(t.Context(), "events"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // a few updates of the layout
	}
	if said := heard.Load(); said != nil {
		t.Errorf("the client hears of other topics: %q", *said)
	}
	for n := range 3 {
		b := kafka.NewBatcher(north, "events", 2, kafka.BatcherConfig{})
		if err := b.Submit(t.Context(), []kafka.Message{{Key: []byte("k"), Value: []byte{byte(n)}}}); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	at := kafka.Partition([]byte("k"), 2)
	if err := north.DeleteRecords(t.Context(), "events", at, 1); err != nil {
		t.Fatal(err)
	}
	ranges, err := north.Offsets(t.Context(), "events")
	if err != nil || ranges[at] != (kafka.Range{First: 1, Next: 3}) {
		t.Errorf("north: %+v %v", ranges, err)
	}
	f, err := north.Fetch(t.Context(), "events", at, 1, 1<<20, 0)
	if err != nil || len(f.Records) != 2 {
		t.Errorf("north: %+v %v", f, err)
	}
	ranges, err = south.Offsets(t.Context(), "events")
	if err != nil || ranges[0].Next != 0 || ranges[1].Next != 0 {
		t.Errorf("south: %+v %v", ranges, err)
	}
	if _, err := south.Fetch(t.Context(), "events", at, 1, 1<<20, 0); !errors.Is(err, kafka.ErrOutOfRange) {
		t.Errorf("south: %v", err)
	}
}
