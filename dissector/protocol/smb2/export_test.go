package smb2

import "strconv"

// CommandName returns a command's name by its number in decimal.
func CommandName(number string) string {
	n, err := strconv.Atoi(number)
	if err != nil || n >= len(commands) {
		return number
	}
	return commands[n].name
}
