//go:build !race

package workbench

// stride is of how many captures one is taken where all are tried.
const stride = 1
