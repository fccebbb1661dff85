// Package tools is never run: it names the program that is built here, so that go.mod and go.sum pin what it is made of.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2specd"
