// nbd-server-start, -add, -remove, -stop, block-export-add, block-export-del, query-block-exports.
// Without TLS, so it listens on unix sockets and on addresses of this machine only.
// Source of arguments, order and words: QEMU 7.2 qapi/block-export.json, qapi/sockets.json, util/qemu-sockets.c.
using System.Collections.Generic;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
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

    ServerPlace? _place;

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
        ServerPlace? place = null;
        string? wrong = isUnix ? ServerPlace.TryUse(path, out place) : ServerPlace.TryUse(host, port, out place);
        if (wrong != null)
            return QmpError.Generic(wrong);
        NbdServerOptions options = new()
        {
            ConnectionsMax = connections is 0 or > int.MaxValue ? ConnectionsUsual : (int)connections,
        };
        string name = isUnix ? path : $"{host}:{port}";
        CommandAnswer answer = turns.OnReactor(() =>
            exports.Start(place!.End, options) is { IsFault: true } fault
                ? QmpError.Generic($"Failed to bind socket to {name}: {QmpError.Describe(fault)}")
                : CommandAnswer.Done
        );
        if (answer.Error == null)
        {
            place!.OnListening();
            _place = place;
        }
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
        _place?.Remove();
        _place = null;
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
}
