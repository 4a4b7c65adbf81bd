// Command client drives a MySQL server and writes a line for each command that it
// sent: its name, "ok" or the error's number, rows, affected rows and last insert id,
// "-" where it does not know, and the text of the statement.
package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"
)

var ctx = context.Background()

func main() {
	addr := os.Args[2]
	switch os.Args[1] {
	case "prepared":
		prepared(addr)
	case "concurrency":
		concurrency(addr)
	case "commands":
		commands(addr)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

// say prints what a command came to.
func say(command string, err error, rows, affected, id any, text string) {
	outcome := "ok"
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		outcome = fmt.Sprint(e.Number)
	} else if err != nil {
		outcome = "?" + err.Error()
	}
	fmt.Printf("%s\t%s\t%v\t%v\t%v\t%s\n", command, outcome, rows, affected, id, text)
}

func open(addr, user, options string) *sql.Conn {
	db := must(sql.Open("mysql", fmt.Sprintf("%s@tcp(%s)/shop?%s", user, addr, options)))
	c, err := db.Conn(ctx)
	say("COM_CONNECT", err, "-", "-", "-", "")
	return c
}

// exec runs a statement as text.
func exec(c *sql.Conn, text string) {
	r, err := c.ExecContext(ctx, text)
	if err != nil {
		say("COM_QUERY", err, "-", "-", "-", text)
		return
	}
	if strings.Contains(text, ";") { // the driver tells of the last statement only
		say("COM_QUERY", nil, "-", "-", "-", text)
		return
	}
	n, _ := r.RowsAffected()
	id, _ := r.LastInsertId()
	say("COM_QUERY", nil, "-", n, id, text)
}

// count reads all results of a query.
func count(r *sql.Rows) (n int) {
	for {
		for r.Next() {
			n++
		}
		if !r.NextResultSet() {
			return n
		}
	}
}

func query(c *sql.Conn, text string) {
	r, err := c.QueryContext(ctx, text)
	if err != nil {
		say("COM_QUERY", err, "-", "-", "-", text)
		return
	}
	n := count(r)
	say("COM_QUERY", r.Err(), n, "-", "-", text)
}

func prepared(addr string) {
	c := open(addr, "app:secret", "multiStatements=true&maxAllowedPacket=16384")
	exec(c, "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) UNIQUE, note LONGTEXT)")
	text := "INSERT INTO orders (name, note) VALUES (?, ?)"
	insert := must(c.PrepareContext(ctx, text))
	say("COM_STMT_PREPARE", nil, "-", "-", "-", text)
	for i, note := range []string{"first", "", strings.Repeat("long note ", 1200)} {
		if len(note) > 10000 {
			say("COM_STMT_SEND_LONG_DATA", nil, "-", "-", "-", text)
		}
		r := must(insert.Exec(fmt.Sprint("order ", i), note))
		n, _ := r.RowsAffected()
		id, _ := r.LastInsertId()
		say("COM_STMT_EXECUTE", nil, "-", n, id, text)
	}
	_, err := insert.Exec("order 1", "again")
	say("COM_STMT_EXECUTE", err, "-", "-", "-", text)
	text = "SELECT id, name, note FROM orders WHERE id > ? ORDER BY id"
	read := must(c.PrepareContext(ctx, text))
	say("COM_STMT_PREPARE", nil, "-", "-", "-", text)
	for _, from := range []int{0, 2, 99} {
		say("COM_STMT_EXECUTE", nil, count(must(read.Query(from))), "-", "-", text)
	}
	insert.Close()
	say("COM_STMT_CLOSE", nil, "-", "-", "-", "INSERT INTO orders (name, note) VALUES (?, ?)")
	_, err = c.PrepareContext(ctx, "SELEC 1")
	say("COM_STMT_PREPARE", err, "-", "-", "-", "SELEC 1")
	query(c, "SELECT 1; SELECT 2 UNION SELECT 3; SELECT 4")
	exec(c, "INSERT INTO orders (name) VALUES ('a'), ('b'); UPDATE orders SET note = 'x'; DELETE FROM orders WHERE name = 'a'")
	query(c, "SELECT 1; SELECT nothing FROM nowhere")
	query(c, "SELECT * FROM nowhere")
	query(c, "SELECT seq, REPEAT('r', 20) FROM seq_1_to_300")
	query(c, "SELECT id FROM orders WHERE id < 0")
	exec(c, "USE test")
	query(c, "SELECT DATABASE()")
	_, err = c.ExecContext(ctx, "CREATE USER 'eve'@'%' IDENTIFIED BY 'hunter2'")
	say("COM_QUERY", err, "-", 0, 0, "CREATE USER 'eve'@'%' IDENTIFIED BY ***")
	_, err = c.ExecContext(ctx, "ALTER USER 'eve'@'%' IDENTIFIED BY 'hunter2' AND 'hunter3'")
	say("COM_QUERY", err, "-", "-", "-", "ALTER USER 'eve'@'%' IDENTIFIED BY ***")
	read.Close()
	say("COM_STMT_CLOSE", nil, "-", "-", "-", text)
	say("COM_PING", c.PingContext(ctx), "-", "-", "-", "")
	_ = c.Raw(func(driver any) error { return driver.(io.Closer).Close() })
	say("COM_QUIT", nil, "-", "-", "-", "")
}

func concurrency(addr string) {
	db := must(sql.Open("mysql", fmt.Sprintf("app:secret@tcp(%s)/shop?interpolateParams=true", addr)))
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := must(db.Conn(ctx))
			mu.Lock()
			say("COM_CONNECT", nil, "-", "-", "-", "")
			mu.Unlock()
			for j := range 8 {
				text := fmt.Sprintf("SELECT seq FROM seq_1_to_%d -- %d", j+1, i)
				n := count(must(c.QueryContext(ctx, text)))
				mu.Lock()
				say("COM_QUERY", nil, n, "-", "-", text)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}

// wire sends commands that the driver has no call for.
type wire struct{ net.Conn }

func (w wire) send(seq byte, b []byte) {
	n := len(b)
	must(w.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, b...)))
}

func (w wire) read() (seq byte, b []byte) {
	var h [4]byte
	must(io.ReadFull(w, h[:]))
	b = make([]byte, int(h[0])|int(h[1])<<8|int(h[2])<<16)
	must(io.ReadFull(w, b))
	return h[3], b
}

// result reads packets until one that is OK, with nothing to tell, the n-th that is
// EOF, or one that is an error.
func (w wire) result(n int) error {
	for {
		_, b := w.read()
		if b[0] == 0xff {
			return &mysql.MySQLError{Number: binary.LittleEndian.Uint16(b[1:])}
		}
		if b[0] == 0xfe && len(b) < 9 || b[0] == 0 && len(b) == 7 {
			if n--; n == 0 {
				return nil
			}
		}
	}
}

// do sends a command and reads its answer, which ends with OK or the n-th EOF.
func (w wire) do(name string, rows any, n int, text string, command ...byte) {
	w.send(0, command)
	if n > 0 {
		say(name, w.result(n), rows, "-", "-", text)
	} else {
		say(name, nil, rows, "-", "-", text)
	}
}

// commands sends, as a user without password, the commands that few clients send.
func commands(addr string) {
	w := wire{must(net.Dial("tcp", addr))}
	w.read()
	login := binary.LittleEndian.AppendUint32(nil, 0x200|0x8000|0x8|1)
	login = append(append(login, 0, 0, 0, 1, 33), make([]byte, 23)...)
	w.send(1, append(login, "guest\x00\x00shop\x00"...))
	say("COM_CONNECT", w.result(1), "-", "-", "-", "")
	w.do("COM_PING", "-", 1, "", 14)
	w.send(0, []byte{9})
	w.read()
	say("COM_STATISTICS", nil, "-", "-", "-", "")
	w.do("COM_FIELD_LIST", "-", 1, "", []byte("\x04orders\x00")...)
	w.do("COM_SET_OPTION", "-", 1, "", 27, 0, 0)
	w.do("COM_INIT_DB", "-", 1, "", []byte("\x02test")...)
	w.do("COM_INIT_DB", "-", 1, "", []byte("\x02nowhere")...)
	w.do("COM_PROCESS_INFO", 1, 2, "", 10)
	text := "SELECT seq FROM seq_1_to_10"
	w.send(0, append([]byte{22}, text...))
	_, b := w.read()
	say("COM_STMT_PREPARE", w.result(1), "-", "-", "-", text)
	id := b[1:5]
	w.do("COM_STMT_EXECUTE", 0, 1, text, append(append([]byte{23}, id...), 1, 1, 0, 0, 0)...)
	w.do("COM_STMT_FETCH", 4, 1, text, append(append([]byte{28}, id...), 4, 0, 0, 0)...)
	w.do("COM_STMT_FETCH", 6, 1, text, append(append([]byte{28}, id...), 100, 0, 0, 0)...)
	w.do("COM_STMT_RESET", "-", 1, text, append([]byte{26}, id...)...)
	w.do("COM_STMT_CLOSE", "-", 0, text, append([]byte{25}, id...)...)
	w.do("COM_RESET_CONNECTION", "-", 1, "", 31)
	w.send(0, []byte("\x11guest\x00\x00shop\x00\x21\x00mysql_native_password\x00"))
	if seq, b := w.read(); b[0] == 0xfe {
		w.send(seq+1, nil)
		w.read()
	}
	say("COM_CHANGE_USER", nil, "-", "-", "-", "")
	// Three commands at once: the answers come in order.
	must(w.Write([]byte("\x09\x00\x00\x00\x03SELECT 1\x01\x00\x00\x00\x0e\x08\x00\x00\x00\x03SELEC 2")))
	say("COM_QUERY", w.result(2), 1, "-", "-", "SELECT 1")
	say("COM_PING", w.result(1), "-", "-", "-", "")
	say("COM_QUERY", w.result(1), "-", "-", "-", "SELEC 2")
	w.do("COM_BINLOG_DUMP", "-", 1, "", 18, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0)
	w.do("COM_QUIT", "-", 0, "", 1)
	w.Close()
}
