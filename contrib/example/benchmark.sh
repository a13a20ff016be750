# The runtime of the example's project is a number in a file. The measurement has
# an error of up to 2 %.
us=$(cat microseconds)
echo "work: iterations=1 runtime: $((us + us * ($$ % 41 - 20) / 1000))us"
