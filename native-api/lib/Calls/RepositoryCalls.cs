// fb_repository_*: a point in a repository as the target of a job.
using System;
using System.Text;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Repositories;

namespace FastBackup.Native.Calls;

static class RepositoryCalls
{
    const uint PathBytesMax = 4095;
    const uint NameBytesMax = DiskNames.CharsMax;

    public static unsafe int Open(ulong engineId, RepositoryOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        Answer answer = StructSize.TryRead(host, RepositoryOptionsStruct.SizeFirst, out RepositoryOptionsStruct given);
        PointMaking? making = null;
        if (answer.IsOk)
            answer = TryTranslate(given, out making);
        if (answer.IsOk && engine.Reactor.MustNotWait)
            answer = Answer.State("the engine's own thread may not wait for a store: open it from another one");
        DeviceObject? device = null;
        if (answer.IsOk)
            answer = DeviceMaking.Open(
                engine,
                () =>
                {
                    OpenRefusal refusal = making!.TryOpen(engine.Reactor, out PointTarget? target);
                    return (refusal, target, null);
                },
                out device
            );
        *result = device?.Id ?? 0;
        return answer.Tell();
    }

    static unsafe Answer TryTranslate(in RepositoryOptionsStruct given, out PointMaking? making)
    {
        making = null;
        if ((given.Flags & ~Fb.RepositoryCreate) != 0)
            return Answer.Unsupported($"repository flags {given.Flags:x} are not known");
        Answer answer = Utf8Name.TryRead(given.Repository, given.RepositoryLength, 1, PathBytesMax, out string address);
        string disk = "";
        string password = "";
        string whose = "";
        string parent = "";
        string tag = "";
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Disk, given.DiskLength, 1, NameBytesMax, out disk);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.PasswordFile, given.PasswordFileLength, 0, PathBytesMax, out password);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Host, given.HostLength, 0, NameBytesMax, out whose);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Parent, given.ParentLength, 0, BlobId.Digits, out parent);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Tag, given.TagLength, 0, NameBytesMax, out tag);
        if (!answer.IsOk)
            return answer;
        making = new PointMaking(address, disk)
        {
            PasswordFile = password.Length == 0 ? null : password,
            MayCreate = (given.Flags & Fb.RepositoryCreate) != 0,
            Host = whose.Length == 0 ? null : whose,
            SizeBytes = (long)Math.Min(given.DiskBytes, long.MaxValue),
            Parent = parent.Length == 0 ? null : parent,
            ChunkBytes = given.ChunkBytes == 0 ? null : given.ChunkBytes,
            PackBytes = given.PackBytes == 0 ? null : given.PackBytes,
            Tag = tag.Length == 0 ? null : tag,
        };
        return making.Check() is { } wrong ? Answer.Invalid(wrong) : Answer.Ok;
    }

    public static unsafe int Point(ulong id, byte* point, uint capacity, uint* length)
    {
        if (point == null && capacity > 0)
            return Answer.Invalid("point is NULL").Tell();
        if (HandleTable.Find<DeviceObject>(id) is not { } device)
            return Answer.Handle(DeviceObject.Noun).Tell();
        if (device.Device is not PointTarget target)
            return Answer.Invalid("the device is none of fb_repository_open").Tell();
        string? made = target.Point;
        // SAFETY: the host vouches for capacity bytes.
        if (capacity > 0)
            _ = Utf8Name.Write(made ?? "", new Span<byte>(point, (int)Math.Min(capacity, int.MaxValue)));
        if (length != null)
            *length = (uint)Encoding.UTF8.GetByteCount(made ?? "");
        return (made != null ? Answer.Ok : Answer.State(target.Words ?? "no job has made the point yet")).Tell();
    }
}
