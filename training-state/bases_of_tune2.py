import json,os,random,sys
from pathlib import Path
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from neurcodec.media import av1
import neurcodec.training.pairs as P
av1.TUNING="tune=2"
SRC=Path('/work/main/runs')
def smaller(f,w,h):
    import torch, torch.nn.functional as F
    torch.set_num_threads(1)
    x=torch.from_numpy(f).permute(0,3,1,2).float()
    return F.interpolate(x,(h,w),mode="bicubic",antialias=True).clamp(0,255).round().byte().permute(0,2,3,1).contiguous().numpy()
def one(a):
    folder,out,e=a
    import cv2; cv2.setNumThreads(1)
    rng=random.Random("tune2/"+e['file'])
    src=np.load(folder/e['file'])
    bases=[]
    for b in e['bases']:
        lo,hi=P.CRFS[b['scale']]; crf=rng.randint(lo,hi)
        w,h=P.base_size(src.shape[2],src.shape[1],b['scale'])
        small=src if b['scale']==1 else smaller(src,w,h)
        pk=av1.encode_gop(small,crf,4,1,"tune=2"); d=av1.decode_gop(pk,len(src),w,h)
        np.save(out/b['file'],d); bases.append({**b,'crf':crf,'bytes':sum(map(len,pk))})
    if not (out/e['file']).exists(): os.link(folder/e['file'],out/e['file'])
    return {**e,'bases':bases}
if __name__=='__main__':
    for name in ('held_out','pairs'):
        folder=SRC/name; out=Path('/root/runsT')/name; out.mkdir(parents=True,exist_ok=True)
        ix=json.load(open(folder/'index.json')); done=json.load(open(out/'index.json')) if (out/'index.json').exists() else []
        have={e['file'] for e in done}; 
        with ProcessPoolExecutor(1,initializer=os.nice,initargs=(10,)) as pool:
            for k,r in enumerate(pool.map(one,[(folder,out,e) for e in ix if e['file'] not in have])):
                done.append(r)
                if k%20==19: P.write_index(out,done)
        P.write_index(out,done)
