// node-smpp as an operator's SMSC: answers, sends receipts, and writes to JOURNAL what it read.
// node smsc.js JOURNAL PORT [KEY CERTIFICATE]. PORT is not used: it takes a free one of loopback and
// says on stdout which. With a key and its certificate, files in PEM, it speaks TLS.
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const [journal, , key, cert] = process.argv.slice(2);
const options = key ? { key: fs.readFileSync(key), cert: fs.readFileSync(cert) } : {};
const note = (event, fields) =>
  fs.appendFileSync(journal, JSON.stringify({ event, ...fields }) + '\n');
const ENDINGS = { 901: ['UNDELIV', 5, '001'], default: ['DELIVRD', 2, '000'] };
const throttled = new Set();
const receivers = [];
let last = 0x4a3f00;

function submitted(session, pdu) {
  const { message, udh } = pdu.short_message;
  const id = (++last).toString(16).toUpperCase();
  note('submit', {
    id,
    source: pdu.source_addr, source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi,
    dest: pdu.destination_addr, dest_ton: pdu.dest_addr_ton, dest_npi: pdu.dest_addr_npi,
    data_coding: pdu.data_coding, esm_class: pdu.esm_class,
    registered_delivery: pdu.registered_delivery,
    udh: udh ? Buffer.concat(udh).toString('hex') : '',
    text: message,
  });
  return id;
}

function date() {
  return new Date().toISOString().replace(/[-:T]/g, '').slice(2, 12);
}

function report(session, pdu, id) {
  const [stat, state, err] = ENDINGS[pdu.destination_addr.slice(-3)] || ENDINGS.default;
  const link = receivers.includes(session) ? session : receivers[0];
  link.deliver_sm({
    source_addr: pdu.destination_addr, source_addr_ton: 1, source_addr_npi: 1,
    destination_addr: pdu.source_addr, esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:${date()} done date:${date()}`
      + ` stat:${stat} err:${err} text:`,
    receipted_message_id: id, message_state: state,
  }, (answer) => {
    note('receipt_answered', { id, status: answer.command_status, elsewhere: link !== session });
    if (pdu.destination_addr.endsWith('970')) {
      session.unbind({}, (left) => {
        note('unbind_answered', { status: left.command_status });
        session.close();
      });
    }
  });
}

const server = smpp.createServer(options, (session) => {
  session.on('error', (error) => note('error', { message: String(error) }));
  session.on('close', () => {
    if (receivers.includes(session)) receivers.splice(receivers.indexOf(session), 1);
  });
  session.on('pdu', (pdu) => {
    if (pdu.command.startsWith('bind_') && !pdu.isResponse()) {
      note('bind', { command: pdu.command, system_id: pdu.system_id, password: pdu.password,
        interface_version: pdu.interface_version });
      if (pdu.command !== 'bind_transmitter') receivers.push(session);
      session.send(pdu.response({ system_id: 'NODE' }));
      session.enquire_link({}, (answer) =>
        note('enquire_link_answered', { status: answer.command_status }));
    } else if (pdu.command === 'submit_sm') {
      const ending = pdu.destination_addr.slice(-3);
      if (ending === '910') {
        session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
      } else if (ending === '921' && !throttled.has(pdu.destination_addr)) {
        throttled.add(pdu.destination_addr);
        session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      } else {
        const id = submitted(session, pdu);
        session.send(pdu.response({ message_id: id }));
        setTimeout(() => report(session, pdu, id), 20);
      }
    } else if (pdu.command === 'enquire_link') {
      note('enquire_link', {});
      session.send(pdu.response());
    } else if (pdu.command === 'unbind') {
      note('unbind', {});
      session.send(pdu.response());
    } else if (!pdu.isResponse()) {
      note('unexpected', { command: pdu.command });
    }
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
