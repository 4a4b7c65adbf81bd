package packetstest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Generator injects frames as if a device received them, with their numbers from 1 on in 8 bytes
// behind their headers.
type Generator struct {
	program *ebpf.Program
	numbers *ebpf.Map
}

// NewGenerator makes a generator of frames whose headers have so many bytes. The caller closes it.
func NewGenerator(headers int) (*Generator, error) {
	numbers, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("generator of frames: %w", err)
	}
	g := &Generator{numbers: numbers}
	g.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "MIT", Instructions: asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, numbers.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.LoadMem(asm.R7, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R7, 1),
		asm.StoreMem(asm.R0, 0, asm.R7, asm.DWord),
		asm.LoadMem(asm.R2, asm.R6, 0, asm.Word), // data
		asm.LoadMem(asm.R3, asm.R6, 4, asm.Word), // and its end
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, int32(headers+8)),
		asm.JGT.Reg(asm.R4, asm.R3, "pass"),
		asm.StoreMem(asm.R2, int16(headers), asm.R7, asm.DWord),
		asm.Mov.Imm(asm.R0, 2).WithSymbol("pass"), // XDP_PASS
		asm.Return(),
	}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("generator of frames: %w", err), numbers.Close())
	}
	return g, nil
}

// Close lets go of the program.
func (g *Generator) Close() error { return errors.Join(g.program.Close(), g.numbers.Close()) }

// Run injects n frames into a device of the thread's namespace, as fast as they are taken.
func (g *Generator) Run(device, n int, frame []byte) error {
	const liveFrames = 2
	// struct xdp_md: the data's end, and the device that they come in by.
	context := make([]byte, 24)
	binary.NativeEndian.PutUint32(context[4:], uint32(len(frame)))
	binary.NativeEndian.PutUint32(context[12:], uint32(device))
	_, err := g.program.Run(&ebpf.RunOptions{Data: frame, Context: context, Repeat: uint32(n), Flags: liveFrames, BatchSize: 64})
	if err != nil {
		return fmt.Errorf("inject frames: %w", err)
	}
	return nil
}

// Frame makes a frame of a type that nobody answers.
func Frame(size int) []byte {
	b := make([]byte, size)
	copy(b, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x88\xb5")
	for i := 22; i < size; i++ {
		b[i] = byte(i * 7)
	}
	return b
}
