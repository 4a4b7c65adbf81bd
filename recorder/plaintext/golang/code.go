package golang

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

var errPrologue = errors.New("it does not begin with the check of its stack")

// checksAMD64 are what functions begin with, by the size of their frame: the stack pointer, or
// what it will be, is compared with the goroutine's limit.
var checksAMD64 = [][]byte{
	{0x49, 0x3b, 0x66, 0x10},                         // cmp rsp, [r14+16]
	{0x4c, 0x8d, 0x64, 0x24, 0, 0x4d, 0x3b},          // lea r12, [rsp-d8]; cmp r12, [r14+16]
	{0x4c, 0x8d, 0xa4, 0x24, 0, 0, 0, 0, 0x4d, 0x3b}, // lea r12, [rsp-d32]; cmp r12, [r14+16]
	{0x49, 0x89, 0xe4, 0x49, 0x81, 0xec},             // mov r12, rsp; sub r12, d32: huge frames
}

// returnsAMD64 finds the return instructions of a function.
func returnsAMD64(code []byte) ([]uint64, error) {
	if !checkedAMD64(code) {
		return nil, errPrologue
	}
	var returns []uint64
	for at := 0; at < len(code); {
		if code[at] == 0xcc { // padding between functions
			at++
			continue
		}
		in, err := x86asm.Decode(code[at:], 64)
		if err != nil || in.Op == 0 || vector(code[at]) {
			return nil, fmt.Errorf("instruction at its byte %d is not known: % x", at, code[at:min(at+8, len(code))])
		}
		if in.Op == x86asm.RET {
			returns = append(returns, uint64(at))
		}
		at += in.Len
	}
	if returns == nil {
		return nil, errors.New("it never returns")
	}
	return returns, nil
}

// vector tells whether a byte begins an instruction of AVX or AVX-512, which x86asm takes for
// others.
func vector(b byte) bool { return b == 0xc4 || b == 0xc5 || b == 0x62 }

func checkedAMD64(code []byte) bool {
	for _, c := range checksAMD64 {
		if len(code) < len(c) {
			continue
		}
		same := true
		for i, b := range c {
			same = same && (b == 0 || b == code[i])
		}
		if same {
			return true
		}
	}
	return false
}

// returnsARM64 does the same for arm64, where each instruction has four bytes.
func returnsARM64(code []byte) ([]uint64, error) {
	const ret = 0xd65f03c0
	if !bytes.HasPrefix(code, []byte{0x90, 0x0b, 0x40, 0xf9}) { // ldr x16, [x28, #16]
		return nil, errPrologue
	}
	var returns []uint64
	for at := 0; at+4 <= len(code); at += 4 {
		if binary.LittleEndian.Uint32(code[at:]) == ret {
			returns = append(returns, uint64(at))
		}
	}
	if returns == nil {
		return nil, errors.New("it never returns")
	}
	return returns, nil
}
