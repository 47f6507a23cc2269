# Opens UDP sockets that cut what is sent into datagrams of so many bytes (Linux, UDP_SEGMENT), one for each address,
# and runs a program with the numbers of these sockets as its last argument. Node cannot set that option itself.
#   perl segmented-sockets.pl <bytes> <addresses> [program and its arguments]
use strict;
use warnings;
use Socket qw(:DEFAULT IPPROTO_UDP);

use constant UDP_SEGMENT => 103;
$^F = 65535;    # They stay open in the program.
my ($bytes, $addresses, @program) = @ARGV;
my @sockets = map {
    socket(my $socket, PF_INET, SOCK_DGRAM, IPPROTO_UDP) or die "socket: $!";
    setsockopt($socket, IPPROTO_UDP, UDP_SEGMENT, pack('i', $bytes)) or die "UDP_SEGMENT: $!";
    bind($socket, sockaddr_in(0, inet_aton($_))) or die "bind $_: $!";
    $socket;
} split /,/, $addresses;
exit unless @program;
exec @program, join(',', map { fileno $_ } @sockets) or die "$program[0]: $!";
