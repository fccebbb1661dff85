#!/bin/sh
# c1d from a shell; see README.md. C1D is where it is, C1D_TOKEN a token or an API key where one is needed.
set -eu

here=${C1D:-http://127.0.0.1:8080}
cookies=${C1D_COOKIES:-$HOME/.c1d-cookies} # with C1D_AUTH=visitor we are whom the first answer made us

api() {
	path=$1 && shift
	exec curl -sSN --fail-with-body -b "$cookies" -c "$cookies" ${C1D_TOKEN:+-H "Authorization: Bearer $C1D_TOKEN"} "$@" "$here/api$path"
}

# A JSON string; a control character becomes a space.
quoted() {
	printf '"%s"' "$(printf %s "$1" | tr '\001-\037' ' ' | sed 's/[\\"]/\\&/g')"
}

case ${1:-}:$# in
ask:[23]) # The answer as events, as it is written. The first one names the run.
	api '/chat?stream=sse' -H 'Content-Type: application/json' \
		-d "{\"message\":$(quoted "$2")${3:+,\"thread_id\":$(quoted "$3")}}"
	;;
resume:2) # What comes behind the event of this id, RUN.BYTES, as it is written.
	api "/runs/${2%.*}/stream?stream=sse" -H "Last-Event-ID: $2"
	;;
stop:2) api "/runs/$2/stop" -X POST ;; # answers when the model is cut off and the text is saved
runs:2) api "/threads/$2/runs?active=1" ;;
list:1) api /threads ;;
messages:2) api "/threads/$2/messages" ;;
delete:2) api "/threads/$2" -X DELETE ;;
*)
	echo "usage: sh chat.sh ask QUESTION [THREAD] | resume RUN.BYTES | stop RUN | runs THREAD | list | messages THREAD | delete THREAD" >&2
	exit 2
	;;
esac
