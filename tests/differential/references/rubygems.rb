# The order of Gem::Version.
$stdin.each_line do |line|
  a, b = line.split
  next unless Gem::Version.correct?(a) && Gem::Version.correct?(b)

  puts "#{a} #{%w[= > <][Gem::Version.new(a) <=> Gem::Version.new(b)]} #{b}"
end
