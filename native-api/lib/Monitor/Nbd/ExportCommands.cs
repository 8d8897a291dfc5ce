// nbd-server-start, -add, -remove, -stop, block-export-add, block-export-del, query-block-exports.
// Without TLS, so it listens on unix sockets and on addresses of this machine only.
// Source of arguments, order and words: QEMU 7.2 qapi/block-export.json, qapi/sockets.json, util/qemu-sockets.c.
using System.Collections.Generic;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FastBackup.Base;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Ports.Linux;
using FastBackup.Serving;

namespace FastBackup.Native.Monitor.Nbd;

/// <summary>Threads: the monitor's.</summary>
sealed class ExportCommands(MonitorTurns turns, MonitorExports exports)
{
    const int ConnectionsUsual = 256; // where a client asks for no limit
    const int Hard = 1; // of s_modes

    static readonly string[] s_types = ["inet", "unix"];
    static readonly string[] s_modes = ["safe", "hard"];
    static readonly string[] s_kinds = ["nbd"];

    string? _path; // of the server's socket
    (ulong Inode, uint Major, uint Minor)? _identity;

    public CommandAnswer Start(CommandCall call)
    {
        ArgumentReader? address = call.Arguments.Object("addr", isNeeded: true);
        int? type = address?.Word("type", s_types, isNeeded: true);
        ArgumentReader? inside = type == null ? null : address?.Object("data", isNeeded: true);
        bool isUnix = type is { } known && s_types[known] == "unix";
        (string host, string port) = isUnix ? ("", "") : (inside?.Text("host") ?? "", inside?.Text("port") ?? "");
        string path = isUnix ? inside?.Text("path") ?? "" : "";
        _ = inside?.End();
        _ = address?.End();
        uint connections = call.Arguments.UInt32("max-connections") ?? 0;
        if (call.Arguments.End() is { } error)
            return error;
        if (turns.OnReactor(IsFree) is { Error: { } running })
            return running;
        EndPoint? end = null;
        if ((isUnix ? ReadPath(path, out end) : ReadAddress(host, port, out end)) is { } refusal)
            return refusal;
        NbdServerOptions options = new()
        {
            ConnectionsMax = connections is 0 or > int.MaxValue ? ConnectionsUsual : (int)connections,
        };
        string name = isUnix ? path : $"{host}:{port}";
        CommandAnswer answer = turns.OnReactor(() =>
            exports.Start(end!, options) is { IsFault: true } fault
                ? QmpError.Generic($"Failed to bind socket to {name}: {QmpError.Describe(fault)}")
                : CommandAnswer.Done
        );
        if (answer.Error == null && isUnix)
            (_path, _identity) = (path, SocketPath.IdentityOf(path));
        return answer;
    }

    public CommandAnswer Stop(CommandCall call)
    {
        if (call.Arguments.End() is { } error)
            return error;
        CommandAnswer answer = turns.OnReactor(() =>
        {
            if (!exports.IsRunning)
                return QmpError.Generic("NBD server not running");
            exports.Stop();
            return CommandAnswer.Done;
        });
        if (answer.Error == null)
            RemoveSocket();
        return answer;
    }

    public CommandAnswer Add(CommandCall call)
    {
        ArgumentReader given = call.Arguments;
        _ = given.Word("type", s_kinds, isNeeded: true);
        string id = given.Text("id");
        string node = given.Text("node-name");
        bool isWritable = given.Bool("writable") ?? false;
        string? name = given.OptionalText("name");
        string description = given.OptionalText("description") ?? "";
        List<(string?, string)> bitmaps = given.Has("bitmaps") ? ReadBitmaps(given) : [];
        return given.End() is { } error
            ? error
            : Add(new ExportRequest(id, node, name ?? node, description, isWritable, IsDowngraded: false, bitmaps));
    }

    /// <summary>nbd-server-add.</summary>
    public CommandAnswer AddNamed(CommandCall call)
    {
        ArgumentReader given = call.Arguments;
        string? name = given.OptionalText("name");
        string description = given.OptionalText("description") ?? "";
        string device = given.Text("device");
        bool isWritable = given.Bool("writable") ?? false;
        string? bitmap = given.OptionalText("bitmap");
        if (given.End() is { } error)
            return error;
        string id = name ?? device;
        List<(string?, string)> bitmaps = bitmap == null ? [] : [(null, bitmap)];
        return Add(new ExportRequest(id, device, id, description, isWritable, IsDowngraded: true, bitmaps));
    }

    public CommandAnswer Remove(CommandCall call)
    {
        string id = call.Arguments.Text("id");
        bool isHard = call.Arguments.Word("mode", s_modes) == Hard;
        return call.Arguments.End() is { } error ? error : Run(() => exports.Remove(id, isHard));
    }

    /// <summary>nbd-server-remove.</summary>
    public CommandAnswer RemoveNamed(CommandCall call)
    {
        string name = call.Arguments.Text("name");
        bool isHard = call.Arguments.Word("mode", s_modes) == Hard;
        return call.Arguments.End() is { } error ? error : Run(() => exports.RemoveNamed(name, isHard));
    }

    public CommandAnswer Query(CommandCall call) =>
        call.Arguments.End() is { } error ? error : turns.OnReactor(() => exports.ToJson(), mayBeStopped: true);

    /// <summary>Nobody listens any more. The monitor's thread, or the closing one when that has ended.</summary>
    public void RemoveSocket()
    {
        if (_path != null)
            SocketPath.Remove(_path, _identity);
        _path = null;
    }

    CommandAnswer Add(ExportRequest request) => Run(() => exports.Add(request));

    CommandAnswer Run(System.Func<QmpError?> work) =>
        turns.OnReactor(() => work() is { } error ? error : CommandAnswer.Done);

    CommandAnswer IsFree() => exports.IsRunning ? QmpError.Generic("NBD server already running") : CommandAnswer.Done;

    static List<(string?, string)> ReadBitmaps(ArgumentReader given)
    {
        List<(string?, string)> bitmaps = [];
        foreach ((string? text, ArgumentReader? inside) in given.TextsOrObjects("bitmaps", "BlockDirtyBitmapOrStr"))
        {
            bitmaps.Add(text != null ? (null, text) : (inside!.Value.Text("node"), inside.Value.Text("name")));
            _ = inside?.End();
        }
        return bitmaps;
    }

    static QmpError? ReadPath(string path, out EndPoint? address)
    {
        address = null;
        if (Encoding.UTF8.GetByteCount(path) > SocketPath.BytesMax)
            return QmpError.Generic($"UNIX socket path '{path}' is too long");
        if (SocketPath.TryClear(path, isOnlyLook: false, out _) is { } sentence)
            return QmpError.Generic(sentence);
        address = new UnixDomainSocketEndPoint(path);
        return null;
    }

    static QmpError? ReadAddress(string host, string port, out EndPoint? address)
    {
        address = null;
        IPAddress? found = host == "localhost" ? IPAddress.Loopback : null;
        if (found == null && !IPAddress.TryParse(host, out found))
            return QmpError.Generic($"'{host}' is no address: 127.0.0.1, ::1 or localhost is");
        if (!IPAddress.IsLoopback(found))
            return QmpError.Generic(
                $"'{host}' can be reached from other machines, which needs TLS: not supported here"
            );
        if (!ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) || number == 0)
            return QmpError.Generic($"'{port}' is no port: 1 to 65535 is");
        address = new IPEndPoint(found, number);
        return null;
    }
}
