// fb_server_*: an NBD server in the host's process, for its disks and their points in time. The same room of exports
// as a monitor's nbd-server-start has.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Serving;

namespace FastBackup.Native.Calls;

static class ServerCalls
{
    const uint TextBytesMax = 4096; // NBD's limit of a string
    const uint PathBytesMax = 107;
    const int GoneLimitMs = 2000;
    const uint AddKnown = Fb.ExportWritable | Fb.ExportAllBitmaps;

    public static unsafe int Open(ulong engineId, ServerOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        Answer answer = StructSize.TryRead(host, ServerOptionsStruct.SizeFirst, out ServerOptionsStruct given);
        string path = "";
        string address = "";
        if (answer.IsOk && (given.Flags | given.Reserved) != 0)
            answer = Answer.Unsupported($"server flags {given.Flags:x} are not known, or reserved is not 0");
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Path, given.PathLength, 0, PathBytesMax, out path);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Address, given.AddressLength, 0, PathBytesMax, out address);
        ServerPlace? place = null;
        if (answer.IsOk)
            answer = TryFindPlace(path, address, out place);
        if (!answer.IsOk)
            return answer.Tell();
        NbdServerOptions options = new();
        if (given.ConnectionsMax != 0)
            options = options with { ConnectionsMax = (int)Math.Min(given.ConnectionsMax, int.MaxValue) };
        answer = Open(engine, place!, options, out ServerObject? server);
        *result = server?.Id ?? 0;
        return answer.Tell();
    }

    static Answer TryFindPlace(string path, string address, out ServerPlace? place)
    {
        place = null;
        if ((path.Length == 0) == (address.Length == 0))
            return Answer.Invalid("one of path and address says where a server listens, not both and not none");
        if (path.Length > 0)
            return ServerPlace.TryUse(path, out place) is { } taken ? Answer.State(taken) : Answer.Ok;
        int colon = address.LastIndexOf(':');
        string host = colon < 0 ? address : address[..colon].Trim('[', ']');
        string port = colon < 0 ? "" : address[(colon + 1)..];
        return ServerPlace.TryUse(host, port, out place) is { } wrong ? Answer.Invalid(wrong) : Answer.Ok;
    }

    static Answer Open(EngineObject engine, ServerPlace place, NbdServerOptions options, out ServerObject? server)
    {
        server = null;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        ServerObject? made = null;
        try
        {
            ServerObject starting = new(engine, place);
            Answer answer = engine.RunUnlessStopped(
                engine,
                () =>
                {
                    Fault fault = starting.Exports.Start(place.End, options);
                    if (fault.IsFault)
                        return Answer.Of(fault);
                    engine.Reactor.Join(starting);
                    return Answer.Ok;
                }
            );
            if (!answer.IsOk)
                return answer;
            place.OnListening();
            made = starting;
            _ = HandleTable.Open(made);
            server = made;
            return answer;
        }
        finally
        {
            if (made == null)
                engine.Release(isChild: true);
        }
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<ServerObject>(id) is not { } server)
            return Answer.Handle(ServerObject.Noun).Tell();
        EngineObject engine = server.Engine!;
        if (engine.Reactor.IsOnThread)
            return Answer.State("a server cannot be closed from a callback on the engine's thread").Tell();
        if (!server.TryBeginClose())
            return Answer.State("another thread closes this server").Tell();
        Answer answer = TryClose(engine, server);
        server.EndClose();
        if (answer.IsOk)
            engine.Release(isChild: true);
        return answer.Tell();
    }

    static Answer TryClose(EngineObject engine, ServerObject server)
    {
        Answer answer = engine.Run(
            server,
            () =>
            {
                if (!engine.IsStopped)
                    server.Exports.Stop();
                return Answer.Ok;
            }
        );
        server.Place.Remove();
        if (!answer.IsOk)
            return answer;
        bool areGone = EngineTurns.WaitUntil(
            engine,
            server,
            () => server.Exports.WithThoseThatGo.Count == 0,
            GoneLimitMs
        );
        if (!areGone && !engine.IsStopped)
            return Answer.State("requests of clients of the server have not ended");
        return engine.Run(
            server,
            () =>
            {
                engine.Reactor.Leave(server);
                _ = server.TryClose();
                HandleTable.Close(server);
                return Answer.Ok;
            }
        );
    }

    public static unsafe int AddExport(ulong id, ExportOptionsStruct* host)
    {
        if (HandleTable.Find<ServerObject>(id) is not { } server)
            return Answer.Handle(ServerObject.Noun).Tell();
        Answer answer = StructSize.TryRead(host, ExportOptionsStruct.SizeFirst, out ExportOptionsStruct given);
        string name = "";
        string description = "";
        string bitmap = "";
        if (answer.IsOk && (given.Flags & ~AddKnown | given.Reserved) != 0)
            answer = Answer.Unsupported($"export flags {given.Flags:x} are not all known, or reserved is not 0");
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Name, given.NameLength, 0, TextBytesMax, out name);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Description, given.DescriptionLength, 0, TextBytesMax, out description);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Bitmap, given.BitmapLength, 0, TextBytesMax, out bitmap);
        DiskObject? disk = null;
        JobObject? job = null;
        if (answer.IsOk)
            answer = TryFind(server, given, out disk, out job);
        if (!answer.IsOk)
            return answer.Tell();
        uint flags = given.Flags;
        answer = server.Engine!.RunUnlessStopped(
            server,
            () =>
            {
                Answer refusal = Check(server, disk!, job, flags, name, bitmap);
                if (refusal.IsOk)
                    Show(server, disk!, job, flags, name, description, bitmap);
                return refusal;
            }
        );
        return answer.Tell();
    }

    static Answer TryFind(ServerObject server, in ExportOptionsStruct given, out DiskObject? disk, out JobObject? job)
    {
        (disk, job) = (null, null);
        if ((given.Disk == 0) == (given.Job == 0))
            return Answer.Invalid("one of disk and job says what is exported, not both and not none");
        if (given.Job != 0)
        {
            if ((job = HandleTable.Find<JobObject>(given.Job)) == null)
                return Answer.Handle(JobObject.Noun);
            if ((given.Flags & Fb.ExportWritable) != 0)
                return Answer.Invalid("a point in time is read only: FB_EXPORT_WRITABLE is of a disk");
            disk = job.Disk;
        }
        else if ((disk = HandleTable.Find<DiskObject>(given.Disk)) == null)
            return Answer.Handle(DiskObject.Noun);
        return ReferenceEquals(disk!.Engine, server.Engine)
            ? Answer.Ok
            : Answer.Invalid("the disk and the server are of two engines");
    }

    /// <summary>On the reactor's thread.</summary>
    static Answer Check(ServerObject server, DiskObject disk, JobObject? job, uint flags, string name, string bitmap)
    {
        if (disk.IsClosed)
            return Answer.Handle(DiskObject.Noun);
        if (!server.Exports.IsRunning)
            return Answer.State("the server is being closed");
        if (server.Exports.WithThoseThatGo.Any(export => export.Id == name))
            return Answer.State($"the server has an export named '{name}', or one that its clients have not left");
        if (job is { IsReadable: false })
            return Answer.State("the job has no point in time that can be read: not begun, ended, or without the flag");
        if ((flags & Fb.ExportWritable) != 0 && disk.Core.Device.Limits.IsReadOnly)
            return Answer.Invalid("the disk is read only: it cannot be exported with FB_EXPORT_WRITABLE");
        if (bitmap.Length > 0 && (flags & Fb.ExportAllBitmaps) != 0)
            return Answer.Invalid("bitmap names one, and FB_EXPORT_ALL_BITMAPS asks for all");
        if (bitmap.Length > 0 && disk.Core.FindBitmap(bitmap) == null)
            return Answer.Invalid($"the disk has no bitmap '{bitmap}'");
        return Answer.Ok;
    }

    static void Show(
        ServerObject server,
        DiskObject disk,
        JobObject? job,
        uint flags,
        string name,
        string description,
        string bitmap
    )
    {
        ExportedBitmaps? bitmaps =
            (flags & Fb.ExportAllBitmaps) != 0 ? new ExportedBitmaps(disk)
            : bitmap.Length > 0 ? new ExportedBitmaps(disk, new HashSet<string> { bitmap })
            : null;
        server.Exports.Add(
            name,
            disk.Core.Name,
            disk,
            job,
            device => new ServedDisk(name, device)
            {
                Description = description,
                IsReadOnly = (flags & Fb.ExportWritable) == 0,
                Bitmaps = bitmaps,
            }
        );
    }

    public static unsafe int RemoveExport(ulong id, byte* name, uint nameLength, uint flags)
    {
        if (HandleTable.Find<ServerObject>(id) is not { } server)
            return Answer.Handle(ServerObject.Noun).Tell();
        if ((flags & ~Fb.ExportIfUnused) != 0)
            return Answer.Unsupported($"export flags {flags:x} are not all known").Tell();
        Answer answer = Utf8Name.TryRead(name, nameLength, 0, TextBytesMax, out string text);
        EngineObject engine = server.Engine!;
        if (answer.IsOk)
            answer = engine.RunUnlessStopped(server, () => Remove(server, text, flags));
        bool mayWait = answer.IsOk && !engine.Reactor.IsOnThread;
        bool isGone = EngineTurns.WaitUntil(
            engine,
            server,
            () => !server.Exports.WithThoseThatGo.Any(export => export.Id == text),
            mayWait ? GoneLimitMs : 0
        );
        if (mayWait && !isGone && !engine.IsStopped)
            answer = Answer.State($"nobody finds export '{text}' any more; requests of its clients have not ended");
        return answer.Tell();
    }

    /// <summary>On the reactor's thread.</summary>
    static Answer Remove(ServerObject server, string name, uint flags)
    {
        if (server.Exports.WithThoseThatGo.FirstOrDefault(export => export.Id == name) is not { } export)
            return Answer.Invalid($"the server has no export '{name}'");
        if ((flags & Fb.ExportIfUnused) != 0 && export.HasClients)
            return Answer.State($"export '{name}' has clients");
        if (!export.IsShuttingDown)
            server.Exports.Remove(export);
        return Answer.Ok;
    }

    public static unsafe int GetState(ulong id, ServerStateStruct* result)
    {
        if (HandleTable.Find<ServerObject>(id) is not { } server)
            return Answer.Handle(ServerObject.Noun).Tell();
        ServerStateStruct state = default;
        Answer answer = server.Engine!.RunUnlessStopped(
            server,
            () =>
            {
                state.ClientCount = (uint)server.Exports.ConnectionCount;
                state.ExportCount = (uint)server.Exports.Current.Count();
                return Answer.Ok;
            }
        );
        if (answer.IsOk)
            answer = StructSize.TryWrite(result, ServerStateStruct.SizeFirst, state);
        return answer.Tell();
    }
}
