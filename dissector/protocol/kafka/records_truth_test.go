package kafka

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shark/dissector"
	"shark/dissector/dissectortest"
)

const recorded = "../../../testdata/kafka"

// bundles are what calls had for a partition, as the clients tell it, a line each: number
// of the API, topic and partition, how many records and how they were compressed.
type bundles []string

func (b *bundles) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil || e.Response == nil {
		return nil
	}
	m := e.Request
	if APIKey.Get(&m.Values) == 1 {
		m = e.Response
	}
	if Records.Get(&m.Values) > 0 {
		for p := range Partitions.Each(&m.Values) {
			records, codecs, _ := strings.Cut(held(m), " ")
			*b = append(*b, fmt.Sprint(APIKey.Get(&e.Request.Values), " ", string(p), " ", records, " ", codecs))
		}
	}
	return nil
}

// bundled makes one line of those that a client tells of all the batches that it fetched of a
// partition.
func bundled(lines []string) (out []string) {
	records, codecs := make(map[string]int), make(map[string][]string)
	for _, line := range lines {
		var key, n int
		var partition, codec string
		_, _ = fmt.Sscan(line, &key, &partition, &n, &codec) // what is missing is not found in the calls
		if key == 0 {
			out = append(out, line)
			continue
		}
		records[partition] += n
		if !slices.Contains(codecs[partition], codec) {
			codecs[partition] = append(codecs[partition], codec)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(records)) {
		out = append(out, fmt.Sprintf("1 %s %d %s", p, records[p], strings.Join(codecs[p], " ")))
	}
	return out
}

// TestRecordsAgainstClients compares the records of each call with those that the client wrote
// or got.
func TestRecordsAgainstClients(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recorded, "*.batches"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no .batches: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got bundles
		dissectortest.Dissect(t, dissectortest.Open(t, strings.TrimSuffix(file, ".batches")+".pcap"), &got, Protocol)
		dissectortest.SameLines(t, got, bundled(strings.Split(strings.TrimRight(string(b), "\n"), "\n")))
	}
}

// clear are the newest versions of APIs whose partitions and records tshark 4.0 reads.
var clear = map[int64]int64{0: 8, 1: 11, 2: 5, 3: 8, 8: 8, 9: 7, 24: 2}

// seen are messages with partitions, as tshark tells them: number of the packet that ends
// each, number of the API, partitions, codecs of batches and how many records they hold.
type seen []string

func (s *seen) Entry(e *dissector.Entry) error {
	if e.Protocol != Protocol || e.Request == nil {
		return nil
	}
	key, version := APIKey.Get(&e.Request.Values), APIVersion.Get(&e.Request.Values)
	if newest, ok := clear[key]; !ok || version > newest {
		return nil
	}
	for _, m := range []*dissector.Message{e.Request, e.Response} {
		if m == nil || !m.Has(Partitions) {
			continue
		}
		var partitions, codecs []string
		for p := range Partitions.Each(&m.Values) {
			partitions = append(partitions, string(p[strings.LastIndexByte(string(p), '-')+1:]))
		}
		for c := range Compression.Each(&m.Values) {
			codecs = append(codecs, string(c))
		}
		*s = append(*s, fmt.Sprint(m.Last, " ", key, " ", partitions, " ", codecs, " ", Records.Get(&m.Values)))
	}
	return nil
}

// tsharkSees returns the messages of a capture as tshark sees them, of packets that end one
// of a version that it reads.
func tsharkSees(t *testing.T, file string) (out []string) {
	t.Helper()
	args := []string{"-r", file, "-Y", "kafka.partition_id", "-T", "fields"}
	for _, f := range []string{"frame.number", "kafka.api_key", "kafka.request.version", "kafka.response.version", "kafka.partition_id", "kafka.batch_codec", "kafka.record_attributes"} {
		args = append(args, "-e", f)
	}
	b, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		var key, version int64
		if n, _ := fmt.Sscan(v[1]+" "+v[2]+v[3], &key, &version); n < 2 {
			t.Fatalf("tshark says %q", line)
		}
		if newest, ok := clear[key]; !ok || version > newest {
			continue
		}
		var names []string
		for i, name := range codecs {
			if slices.Contains(strings.Split(v[5], ","), fmt.Sprint(i)) {
				names = append(names, name)
			}
		}
		records := 0
		if v[6] != "" {
			records = 1 + strings.Count(v[6], ",")
		}
		out = append(out, fmt.Sprint(v[0], " ", key, " ", strings.Split(v[4], ","), " ", names, " ", records))
	}
	return out
}

// TestPartitionsAgainstTshark compares partitions, codecs and how many records there are with
// what tshark reads, which takes the compression off and counts them itself.
func TestPartitionsAgainstTshark(t *testing.T) {
	public := dissectortest.PublicWithTshark(t)
	compared := 0
	for _, file := range []string{
		recorded + "/kafka_of_compressed.pcap", recorded + "/versions.pcap", recorded + "/kafka_of_failures.pcap",
		public + "/ndpi/kafka.pcapng",
	} {
		var got seen
		dissectortest.Dissect(t, dissectortest.Open(t, file), &got, Protocol)
		want := tsharkSees(t, file)
		compared += len(want)
		dissectortest.SameLines(t, got, want)
	}
	if compared < 50 {
		t.Errorf("only %d messages were compared", compared)
	}
}
