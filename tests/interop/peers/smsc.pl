# Net::SMPP as an operator's SMSC: answers, sends receipts, and writes to JOURNAL what it read.
# perl smsc.pl JOURNAL. It says on stdout on which port of loopback it listens.
use strict;
use warnings;
use Encode qw(decode);
use IO::Handle;
use JSON::PP;
use Net::SMPP;
use POSIX qw(strftime);

my $json = JSON::PP->new->canonical->utf8;
open(my $journal, '>>', $ARGV[0]) or die "journal: $!";
$journal->autoflush(1);
STDOUT->autoflush(1);
my %throttled;
my $leaving = 0;
my $last = 7_000_000_000;

sub note {
    my ($event, %fields) = @_;
    print $journal $json->encode({event => $event, %fields}), "\n";
}

sub text {
    my ($coding, $octets) = @_;
    return decode($coding == 8 ? 'UTF-16BE' : 'gsm0338', $octets);
}

sub submit {
    my ($link, $pdu) = @_;
    my $ending = substr($pdu->{destination_addr}, -3);
    if ($ending eq '910') {
        return $link->submit_sm_resp(seq => $pdu->{seq}, status => 0x0B, message_id => '');
    }
    if ($ending eq '921' && !$throttled{$pdu->{destination_addr}}++) {
        return $link->submit_sm_resp(seq => $pdu->{seq}, status => 0x58, message_id => '');
    }
    my $id = ++$last;
    my $octets = $pdu->{short_message};
    my $header = $pdu->{esm_class} & 0x40 ? substr($octets, 0, 1 + ord $octets) : '';
    note('submit', id => "$id",
        source => $pdu->{source_addr}, source_ton => $pdu->{source_addr_ton},
        source_npi => $pdu->{source_addr_npi},
        dest => $pdu->{destination_addr}, dest_ton => $pdu->{dest_addr_ton},
        dest_npi => $pdu->{dest_addr_npi},
        data_coding => $pdu->{data_coding}, esm_class => $pdu->{esm_class},
        registered_delivery => $pdu->{registered_delivery}, udh => unpack('H*', substr($header, $header ? 1 : 0)),
        text => text($pdu->{data_coding}, substr($octets, length $header)));
    $link->submit_sm_resp(seq => $pdu->{seq}, message_id => "$id");
    $leaving = $ending eq '970';
    my ($stat, $state) = $ending eq '901' ? ('UNDELIV', 5) : ('DELIVRD', 2);
    my $date = strftime('%y%m%d%H%M', gmtime);
    $link->deliver_sm(
        source_addr => $pdu->{destination_addr}, source_addr_ton => 1, source_addr_npi => 1,
        destination_addr => $pdu->{source_addr}, esm_class => 4,
        short_message => "id:$id sub:001 dlvrd:001 submit date:$date done date:$date"
            . " stat:$stat err:000 text:",
        receipted_message_id => "$id\0", message_state => chr $state, async => 1);
}

my $server = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34)
    or die "listen: $!";
print $json->encode({port => $server->sockport}), "\n";
while (my $link = $server->accept) {
    $link->set_version(0x34);
    while (my $pdu = $link->read_pdu) {
        my $command = $pdu->explain_cmd;
        if ($command =~ /^bind_(\w+)$/ && $command !~ /_resp$/) {
            note('bind', command => $command, system_id => $pdu->{system_id},
                password => $pdu->{password}, interface_version => $pdu->{interface_version});
            my $answer = "${command}_resp";
            $link->$answer(seq => $pdu->{seq}, system_id => 'PERL');
            $link->enquire_link(async => 1);
        } elsif ($command eq 'submit_sm') {
            submit($link, $pdu);
        } elsif ($command eq 'enquire_link') {
            note('enquire_link');
            $link->enquire_link_resp(seq => $pdu->{seq});
        } elsif ($command eq 'enquire_link_resp') {
            note('enquire_link_answered', status => $pdu->{status});
        } elsif ($command eq 'deliver_sm_resp') {
            note('receipt_answered', status => $pdu->{status});
            $link->unbind(async => 1) if $leaving;
            $leaving = 0;
        } elsif ($command eq 'unbind_resp') {
            note('unbind_answered', status => $pdu->{status});
            last;
        } elsif ($command eq 'unbind') {
            note('unbind');
            $link->unbind_resp(seq => $pdu->{seq});
            last;
        } else {
            note('unexpected', command => $command);
        }
    }
    $link->close;
}
