# The order of Elixir's Version, which is Hex's.
IO.stream(:stdio, :line)
|> Enum.each(fn line ->
  [a, b] = String.split(line)

  with {:ok, x} <- Version.parse(a), {:ok, y} <- Version.parse(b) do
    operator = %{lt: "<", eq: "=", gt: ">"}[Version.compare(x, y)]
    IO.puts("#{a} #{operator} #{b}")
  end
end)
