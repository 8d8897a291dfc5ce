// Which answers about sizes let a job begin and end. The devices answer at once, with what the test gives them.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class KeptSizesTests : IBackupWork, IDisposable
{
    readonly SizedDevice _source = new();
    readonly SizedDevice _target = new();
    readonly KeptSizes _sizes;
    Fault _fault;
    bool _isSourceFault;
    int _goOnCount;

    public KeptSizesTests() => _sizes = new KeptSizes(this, _source, _target);

    public void Dispose()
    {
        _source.Dispose();
        _target.Dispose();
    }

    public JobStatus Status { get; set; } = JobStatus.Running;

    bool IBackupWork.IsCopying => true;

    bool IBackupWork.MustBackOff() => false;

    [Fact]
    public void SizesThatAreKept_AreAskedOfBoth_AtTheBeginningAndAtTheEnd()
    {
        Assert.True(Begins());
        Assert.Equal((1, 1), (_source.AskedCount, _target.AskedCount));
        Assert.True(Begins()); // known
        Assert.True(Ends());
        Assert.Equal((2, 2), (_source.AskedCount, _target.AskedCount));
        _sizes.ForgetLast();
        Assert.True(Ends());
        Assert.Equal((3, 3, 6), (_source.AskedCount, _target.AskedCount, _goOnCount));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatIsShortAtTheBeginning_Fails(bool isSource)
    {
        (isSource ? _source : _target).Answer = new Fault(FaultKind.Truncated);
        Assert.False(Begins());
        Assert.Equal((FaultKind.Truncated, isSource), (_fault.Kind, _isSourceFault));
    }

    [Fact]
    public void AnErrorAtTheBeginning_IsLeftToTheCopying_AndAtTheEndToThePolicy()
    {
        _source.Answer = new Fault(FaultKind.Io, Errnos.EIO);
        Assert.True(Begins());
        Assert.True(_fault.IsNone);
        Assert.False(Ends());
        Assert.Equal((FaultKind.Io, true), (_fault.Kind, _isSourceFault));
    }

    [Theory]
    [InlineData(8192ul, true)]
    [InlineData(4096ul, true)]
    [InlineData(8193ul, false)]
    public void WhatWasLargerFromTheBeginning_MayStaySoOrShrinkToItsDisk(ulong endBytes, bool isFine)
    {
        _target.Answer = new Fault(FaultKind.Grown, 0, 8192);
        Assert.True(Begins());
        _target.Answer = new Fault(FaultKind.Grown, 0, endBytes);
        Assert.Equal(isFine, Ends());
        Assert.Equal(isFine, _fault.IsNone);
    }

    [Fact]
    public void WhatGrowsMeanwhile_Fails()
    {
        Assert.True(Begins());
        _source.Answer = new Fault(FaultKind.Grown, 0, 8192);
        Assert.False(Ends());
        Assert.Equal((FaultKind.Grown, true), (_fault.Kind, _isSourceFault));
    }

    [Fact]
    public void ADeviceThatCannotTell_IsNotAsked()
    {
        _source.CanTellSize = _target.CanTellSize = false;
        Assert.True(Begins());
        Assert.True(Ends());
        Assert.Equal((0, 0), (_source.AskedCount, _target.AskedCount));
    }

    [Fact]
    public void AnAnswerToAJobThatIsPaused_IsNoLastOne_AndToOneThatAborts_IsNone()
    {
        Assert.True(Begins());
        Status = JobStatus.Paused;
        Assert.False(Ends());
        Status = JobStatus.Aborting;
        _source.Answer = new Fault(FaultKind.Truncated);
        Assert.False(Ends());
        Assert.True(_fault.IsNone);
    }

    bool Begins() => _sizes.HasFirstOrAsks();

    bool Ends() => _sizes.HasLastOrAsks();

    void IBackupWork.GoOn() => _goOnCount++;

    void IBackupWork.GoOnLater() { }

    void IBackupWork.OnDeviceFault(Fault fault, bool isSource, bool isFinal)
    {
        Assert.Equal(fault.Kind is FaultKind.Truncated or FaultKind.Grown, isFinal); // else the policy decides
        (_fault, _isSourceFault) = (fault, isSource);
    }

    void IBackupWork.OnFlushed(Fault fault) { }

    void IBackupWork.OnSucceeded() { }

    void IBackupWork.OnAborted() { }

    sealed class SizedDevice : IBlockDevice
    {
        public bool CanTellSize { get; set; } = true;

        public Fault Answer { get; set; }

        public int AskedCount { get; private set; }

        public string Name => "sized";

        public BlockLimits Limits =>
            new()
            {
                CapacityBytes = 4096,
                RequestAlignBytes = 1,
                BufferAlignBytes = 1,
                CanTellSize = CanTellSize,
            };

        public uint InFlightCount => 0;

        public bool ReadsAsZero => false;

        public void Submit(in BlockRequest request)
        {
            Assert.Equal(BlockOperation.Size, request.Operation);
            AskedCount++;
            request.Owner.OnBlockCompleted(request.UserData, new BlockResult(Answer));
        }

        public void Promote(IBlockOwner owner, ulong userData) { }

        public void Dispose() { }
    }
}
