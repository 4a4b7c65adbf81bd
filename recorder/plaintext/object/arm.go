package object

// How many instructions behind an adrp its add may be.
const armWithin = 8

// inARM finds adrp xn, page; add x1, xn, rest.
func (m *image) inARM(addr uint64, b []byte, labels map[uint64]string, f func(uint64, string) bool) bool {
	pages := make(map[uint64]bool)
	for at := range labels {
		pages[at&^0xfff] = true
	}
	for i := int(-addr & 3); i+4 <= len(b); i += 4 {
		word := order.Uint32(b[i:])
		if word&0x9f000000 != 0x90000000 { // adrp
			continue
		}
		pc := addr + uint64(i)
		imm := int64(int32(word<<8)>>13)<<2 | int64(word>>29&3) // immhi:immlo, 21 bits
		page := pc&^0xfff + uint64(imm<<12)
		if !pages[page] {
			continue
		}
		reg := word & 31
		for j := i + 4; j+4 <= len(b) && j < i+4*armWithin; j += 4 {
			add := order.Uint32(b[j:])
			if add&0xffc00000 != 0x91000000 || add>>5&31 != reg || add&31 != 1 { // add x1, xn, imm12
				continue
			}
			if label, ok := labels[page+uint64(add>>10&0xfff)]; ok && !f(addr+uint64(j)+4, label) {
				return false
			}
			break
		}
	}
	return true
}

// followARM is follow for arm64. Writes of x1 are not looked for: compilers load it last.
func (m *image) followARM(addr uint64, vote func(addr uint64, call bool)) {
	var buf [4]byte
	for range callWithin {
		code := m.bytes(addr, buf[:])
		if len(code) < 4 {
			return
		}
		word := order.Uint32(code)
		to := addr + uint64(int64(int32(word<<6)>>6)<<2)
		switch {
		case word>>26 == 0b100101: // bl
			vote(to, true)
			return
		case word>>26 == 0b000101: // b
			vote(to, false)
			addr = to
		case word&0xfffffc1f == 0xd65f0000, word&0xfffffc1f == 0xd63f0000: // ret, blr
			return
		default:
			addr += 4
		}
	}
}
