// Sessions as right clients have them: each way through the handshake, each form of replies, each command.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FastBackup.Devices.Nbd;

namespace FastBackup.Tests.Fuzz;

static class ServerSeeds
{
    const ushort Fua = 1;

    public static IEnumerable<byte[]> All =>
        [
            [.. Flags(1), .. Option(NbdProtocol.OptionExportName, Ascii("disk")), .. Requests(isExtended: false)],
            [.. Flags(3), .. Option(NbdProtocol.OptionExportName, Ascii("view")), .. Requests(isExtended: false)],
            [.. Flags(3), .. Go("disk", 3), .. Requests(isExtended: false)],
            [
                .. Flags(3),
                .. Option(NbdProtocol.OptionStructuredReply),
                .. Option(NbdProtocol.OptionList),
                .. Contexts(NbdProtocol.OptionListMetaContext, "disk"),
                .. Contexts(NbdProtocol.OptionListMetaContext, "view", "qemu:"),
                .. Contexts(NbdProtocol.OptionSetMetaContext, "disk", "base:allocation", "qemu:dirty-bitmap:gone"),
                .. Info("view", 0, 1, 2, 3),
                .. Go("disk"),
                .. Requests(isExtended: false),
            ],
            [
                .. Flags(3),
                .. Option(NbdProtocol.OptionExtendedHeaders),
                .. Contexts(
                    NbdProtocol.OptionSetMetaContext,
                    "view",
                    "qemu:allocation-depth",
                    "base:allocation",
                    "qemu:dirty-bitmap:b0"
                ),
                .. Go("view"),
                .. Requests(isExtended: true),
            ],
            [
                .. Flags(3),
                .. Option(NbdProtocol.OptionExtendedHeaders),
                .. Contexts(NbdProtocol.OptionSetMetaContext, "disk", "qemu:dirty-bitmap:b0"),
                .. Go("disk"),
                .. Requests(isExtended: true),
            ],
            [.. Flags(3), .. Option(5), .. Option(99, [1, 2, 3]), .. Option(NbdProtocol.OptionAbort)],
            [.. Flags(3), .. Option(NbdProtocol.OptionInfo, new byte[40_000]), .. Go("none"), .. Go("disk")],
        ];

    static byte[] Requests(bool isExtended) =>
        [
            .. Request(isExtended, NbdCommand.Read, 4096, 20_000),
            .. Request(isExtended, NbdCommand.Write, 100, 700, Fua),
            .. Enumerable.Repeat((byte)7, 700),
            .. Request(isExtended, NbdCommand.Read, 0, 700, 4),
            .. Request(isExtended, NbdCommand.BlockStatus, 0, 300_000),
            .. Request(isExtended, NbdCommand.BlockStatus, 8192, 8192, 8),
            .. Request(isExtended, NbdCommand.WriteZeroes, 4096, 8192, 2),
            .. Request(isExtended, NbdCommand.WriteZeroes, 0, 299_000, 16),
            .. Request(isExtended, NbdCommand.Trim, 65536, 131_072),
            .. Request(isExtended, NbdCommand.Cache, 0, 65536),
            .. Request(isExtended, NbdCommand.Flush, 0, 0),
            .. Request(isExtended, NbdCommand.Read, 0, 300_001),
            .. Request(isExtended, NbdCommand.Disconnect, 0, 0),
        ];

    static byte[] Request(bool isExtended, NbdCommand command, ulong offset, ulong length, ushort flags = 0)
    {
        bool hasPayload = isExtended && command == NbdCommand.Write;
        return
        [
            .. Number(4, isExtended ? NbdProtocol.ExtendedRequestMagic : NbdProtocol.RequestMagic),
            .. Number(2, hasPayload ? flags | 32u : flags),
            .. Number(2, (ulong)command),
            .. Number(8, offset ^ length),
            .. Number(8, offset),
            .. Number(isExtended ? 8 : 4, length),
        ];
    }

    static byte[] Flags(ulong flags) => Number(4, flags);

    static byte[] Go(string name, params ushort[] wanted) => Choice(NbdProtocol.OptionGo, name, wanted);

    static byte[] Info(string name, params ushort[] wanted) => Choice(NbdProtocol.OptionInfo, name, wanted);

    static byte[] Choice(uint option, string name, ushort[] wanted) =>
        Option(
            option,
            [.. Text(name), .. Number(2, (ulong)wanted.Length), .. wanted.SelectMany(one => Number(2, one))]
        );

    static byte[] Contexts(uint option, string name, params string[] queries) =>
        Option(option, [.. Text(name), .. Number(4, (ulong)queries.Length), .. queries.SelectMany(Text)]);

    static byte[] Option(uint option, params byte[] given) =>
        [.. Number(8, NbdProtocol.OptionMagic), .. Number(4, option), .. Number(4, (ulong)given.Length), .. given];

    static byte[] Text(string text) => [.. Number(4, (ulong)text.Length), .. Ascii(text)];

    static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    static byte[] Number(int bytes, ulong value)
    {
        byte[] all = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(all, value);
        return all[(8 - bytes)..];
    }
}
