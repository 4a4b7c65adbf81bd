package parts

import "shark/recorder"

// List returns the parts that record a node. Packets come last: nobody fetches them while other
// parts open, and whose they are, and the secrets of what they say, is known from the first
// one on.
func List(node string, c *Capture, tls Policy) ([]recorder.Part, error) {
	c.known = newPods()
	capture, err := c.Options()
	if err != nil {
		return nil, err
	}
	list := []recorder.Part{Identity(node, c)}
	if tls.any(Auto, Keys, Plaintext, Both) {
		list = append(list, TLS(tls, c))
	}
	if c.DropReasons {
		list = append(list, Drops(c))
	}
	return append(list, Packets(capture)), nil
}
