package syslog

// facilities are the names of RFC 5424 section 6.2.1 as syslog.h and syslog.conf
// have them, where they have them.
var facilities = [24]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

var severities = [8]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// priorities are the selectors of all priorities, such as auth.crit.
var priorities = func() (out [24 * 8]string) {
	for i := range out {
		out[i] = facilities[i>>3] + "." + severities[i&7]
	}
	return out
}()

// months begin the time stamp of RFC 3164 section 4.1.2.
var months = [12]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
