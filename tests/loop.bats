load helper

@test "two runs of three successes end with status 0 and six branches" {
	experiment -r 2 -i 3
	[ "$(calls)" = 6 ]
	[ "$(git -C "$PROJECT" branch --list 'exp-run-*' | wc -l)" = 6 ]
	[ "$(ledger outcome | sort | uniq -c | tr -s ' ')" = " 6 success" ]
	house_is_clean
}
