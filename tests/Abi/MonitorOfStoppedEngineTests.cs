// A monitor whose engine was stopped by a bug: it still answers, also a client whose command was at work, and closes.
// In this process, because no C call stops an engine.
using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using FastBackup.Native.Calls;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed unsafe class MonitorOfStoppedEngineTests : IDisposable
{
    const int DiskBytes = 1 << 20;

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-abi-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Commands_AreAnsweredAndCloseWorks()
    {
        ulong engine;
        EngineOptionsStruct options = new() { StructSize = EngineOptionsStruct.SizeFirst, BufferBytes = 4 << 20 };
        Assert.Equal(0, EngineCalls.Open(&options, &engine));
        ulong device = OpenDevice(engine, Path.Combine(_folder, "disk"));
        ulong disk = OpenDisk(engine, device);
        string path = Path.Combine(_folder, "socket");
        ulong monitor = OpenMonitor(engine, path);
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(path));
        using StreamReader reader = new(new NetworkStream(client));
        Assert.Contains("QMP", reader.ReadLine());
        Assert.Contains("return", Ask(client, reader, """{"execute":"qmp_capabilities"}"""));

        // A write that is granted and does not end: the command waits for its moment when the engine stops.
        ulong queue;
        Assert.Equal(0, QueueCalls.Open(engine, 4, &queue));
        Assert.Equal(0, DiskCalls.WriteBegin(disk, queue, 0, 4096, 0));
        Send(client, """{"execute":"block-dirty-bitmap-add","arguments":{"node":"vda","name":"b"}}""");
        Thread.Sleep(200);
        HandleTable.Find<EngineObject>(engine)!.Stop(new InvalidOperationException("for a test"));
        Assert.Contains("stopped by an internal error", reader.ReadLine());

        Assert.Contains("vda", Ask(client, reader, """{"execute":"query-named-block-nodes"}"""));
        Assert.Contains("[]", Ask(client, reader, """{"execute":"query-jobs"}"""));
        string add = """{"execute":"blockdev-add","arguments":{"driver":"file","node-name":"t","filename":"/x"}}""";
        Assert.Contains("stopped by an internal error", Ask(client, reader, add));
        string cancel = """{"execute":"job-cancel","arguments":{"id":"j"}}""";
        Assert.Contains("stopped by an internal error", Ask(client, reader, cancel));

        Assert.Equal(0, MonitorCalls.Close(monitor));
        Assert.False(File.Exists(path));
        Assert.Equal(0, DiskCalls.WriteEnd(disk));
        Assert.Equal(0, DiskCalls.Close(disk));
        Assert.Equal(0, QueueCalls.Close(queue));
        Assert.Equal(0, DeviceCalls.Close(device));
        Assert.Equal(0, EngineCalls.Close(engine));
    }

    static void Send(Socket client, string line) => client.Send(Encoding.ASCII.GetBytes(line + "\n"));

    static string Ask(Socket client, StreamReader reader, string line)
    {
        Send(client, line);
        return reader.ReadLine()!;
    }

    static ulong OpenDevice(ulong engine, string path)
    {
        byte[] text = Encoding.UTF8.GetBytes(path);
        ulong device;
        fixed (byte* start = text)
        {
            DeviceOptionsStruct options = new()
            {
                StructSize = DeviceOptionsStruct.SizeFirst,
                Flags = 2, // FB_DEVICE_CREATE
                Path = start,
                PathLength = (uint)text.Length,
                CreateBytes = DiskBytes,
            };
            Assert.Equal(0, DeviceCalls.Open(engine, &options, &device));
        }
        return device;
    }

    static ulong OpenDisk(ulong engine, ulong device)
    {
        ulong disk;
        fixed (byte* name = "vda"u8)
        {
            DiskOptionsStruct options = new()
            {
                StructSize = DiskOptionsStruct.SizeFirst,
                Name = name,
                NameLength = 3,
            };
            Assert.Equal(0, DiskCalls.Open(engine, device, &options, &disk));
        }
        return disk;
    }

    static ulong OpenMonitor(ulong engine, string path)
    {
        byte[] text = Encoding.UTF8.GetBytes(path);
        ulong monitor;
        fixed (byte* start = text)
        {
            MonitorOptionsStruct options = new()
            {
                StructSize = MonitorOptionsStruct.SizeFirst,
                Path = start,
                PathLength = (uint)text.Length,
            };
            Assert.Equal(0, MonitorCalls.Open(engine, &options, &monitor));
        }
        return monitor;
    }
}
